"""Group Loss with every other image of the batch as an anchor, and its sharp similarities."""

from __future__ import annotations

import logging
import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from reid_gl.losses import GroupLoss, group_loss
from reid_gl.losses.leave_one_out import leave_one_out_cross_entropy
from tests.reference.slow_group_loss import slow_group_loss, slow_leave_one_out_loss

OURS: dict[str, Any] = {"num_steps": 1, "similarity_scale": 10.0, "self_similarity": False}
Batch = tuple[Tensor, Tensor, Tensor]


def random_batch(seed: int, *, num_rows: int = 8, num_classes: int = 5) -> Batch:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(num_rows, 6, generator=generator, dtype=torch.float64),
        torch.randint(num_classes, (num_rows,), generator=generator),
        3 * torch.randn(num_rows, num_classes, generator=generator, dtype=torch.float64),
    )


def loss_of(batch: Batch, **settings: Any) -> Tensor:
    embeddings, labels, logits = batch
    return group_loss(embeddings, labels, logits=logits, anchors="others", **{**OURS, **settings})


def slow_loss_of(batch: Batch, **settings: Any) -> float:
    embeddings, labels, logits = (tensor.tolist() for tensor in batch)
    return slow_leave_one_out_loss(embeddings, labels, logits=logits, **settings)


def gradients(batch: Batch, **settings: Any) -> tuple[Tensor, Tensor, Tensor]:
    embeddings, logits = batch[0].clone().requires_grad_(), batch[2].clone().requires_grad_()
    loss = loss_of((embeddings, batch[1], logits), **settings)
    by_embeddings, by_logits = torch.autograd.grad(loss, [embeddings, logits], materialize_grads=True)
    return loss.detach(), by_embeddings, by_logits


def test_four_images_by_hand() -> None:
    """Correlations 1/2 (0, 1), -1 (0, 2), -1/2 (1, 2); image 3 is a copy of image 2; weights 4^(r - 1).

    Image 0 hears 1/2 for its own class and twice 1/16 for the other: belief 4/5. Image 1 hears 1/2 and twice
    1/8: 2/3. Images 2 and 3 hear each other with 1, and 1/16 + 1/8 for the other class: 16/19.
    """
    embeddings = torch.tensor([[1, -1, 0], [1, 0, -1], [-1, 1, 0], [-1, 1, 0]], dtype=torch.float64)
    batch = embeddings, torch.tensor([0, 0, 1, 1]), torch.zeros(4, 3, dtype=torch.float64)
    beliefs = [4 / 5, 2 / 3, 16 / 19, 16 / 19]
    expected = -sum(map(math.log, beliefs)) / 4
    assert loss_of(batch, similarity_scale=2 * math.log(2)).item() == pytest.approx(expected, abs=1e-12)
    odds = [(belief / (1 - belief)) ** 2 for belief in beliefs]  # two steps square them
    expected = -sum(math.log(odd / (1 + odd)) for odd in odds) / 4
    twice = loss_of(batch, similarity_scale=2 * math.log(2), num_steps=2)
    assert twice.item() == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("positives", ["sum", "geometric"])
@pytest.mark.parametrize("similarity", ["pearson", "cosine"])
@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_agrees_with_the_slow_version(num_steps: int, similarity: str, positives: str) -> None:
    for seed in range(8):
        batch = random_batch(seed)
        settings = {
            "num_steps": num_steps,
            "temperature": 2.5,
            "similarity": similarity,
            "similarity_scale": 1.0 + seed,
            "positives": positives,
        }
        assert loss_of(batch, **settings).item() == pytest.approx(slow_loss_of(batch, **settings), abs=1e-9)


@pytest.mark.parametrize("positives", ["sum", "geometric"])
@pytest.mark.parametrize("num_steps", [1, 3])
@pytest.mark.parametrize("scale", [0.5, 10.0, 40.0])
def test_the_gradient_by_the_similarities_is_bounded_by_scale_and_steps(
    scale: float, num_steps: int, positives: str
) -> None:
    """Each row's own and other votes weigh 1 in all: 2 T s at most, also where positives are at -1 or 0."""
    _, labels, logits = random_batch(3, num_classes=3)
    for positive in (-1.0, -1e-9, 0.0, 1e-30, 1e-9, 1e-4, 1.0):
        similarity = torch.where(labels[:, None] == labels, positive, 1.0).double().requires_grad_()
        losses = leave_one_out_cross_entropy(
            (scale * (similarity - 1.0)).exp(),
            logits,
            labels,
            num_steps=num_steps,
            temperature=10.0,
            positives=positives,
        )
        by_similarity = torch.autograd.grad(losses.sum(), similarity)[0]
        assert (by_similarity.abs().sum(dim=1) <= 2 * num_steps * scale + 1e-9).all()
        assert by_similarity.abs().max() > 0


@pytest.mark.parametrize("positives", ["sum", "geometric"])
def test_positives_that_do_not_correlate_give_no_large_gradient(positives: str) -> None:
    """One positive whose correlation passes 0: under clipping the gradient grew as 1 over it."""
    labels, logits = torch.tensor([0, 0, 1, 1]), torch.zeros(4, 2, dtype=torch.float64)
    norms = []
    for tilt in (1e-2, 1e-4, 1e-8, 0.0):
        rows = [[1.0, -1, 0, 0], [tilt, -tilt, 1, -1], [1, -1, 1, -1], [1, -1, 2, -2]]
        batch = torch.tensor(rows, dtype=torch.float64), labels, logits
        norms.append(gradients(batch, positives=positives)[1].norm().item())
    assert max(norms) < 1.1 * min(norms)


@pytest.mark.parametrize("positives", ["sum", "geometric"])
@pytest.mark.parametrize("negatives", ["clip", "shift"])
def test_without_a_scale_it_is_refused_and_the_advice_works(negatives: str, positives: str) -> None:
    settings = {"similarity_scale": None, "negatives": negatives, "positives": positives}
    with pytest.raises(ValueError, match=r"a similarity_scale such as 10\.0: .* has no bound"):
        loss_of(random_batch(0), **settings)
    with pytest.raises(
        ValueError, match=r"need self_similarity=False, .* and a similarity_scale such as 10\.0"
    ):
        GroupLoss(anchors_per_class="others", positives=positives, negatives=negatives)
    loss = GroupLoss(
        anchors_per_class="others", positives=positives, self_similarity=False, similarity_scale=10.0
    )
    assert loss(*random_batch(0)[:2], logits=random_batch(0)[2]).isfinite()


def test_it_is_the_papers_form_with_all_others_as_anchors() -> None:
    for seed in range(5):
        embeddings, labels, logits = batch = random_batch(seed, num_classes=3)
        settings = {**OURS, "num_steps": 2, "temperature": 2.5}
        rows = range(len(labels))
        one_by_one = [
            group_loss(embeddings, labels, logits=logits, anchors=torch.arange(len(labels)) != i, **settings)
            for i in rows
            if (labels == labels[i]).sum() > 1
        ]
        assert loss_of(batch, **settings).item() == pytest.approx(float(sum(one_by_one)) / len(one_by_one))


@pytest.mark.parametrize("num_steps", [1, 2])
def test_the_papers_form_with_sharp_similarities_agrees_with_the_slow_version(num_steps: int) -> None:
    for seed in range(8):
        embeddings, labels, logits = random_batch(seed)
        anchors = torch.rand(8, generator=torch.Generator().manual_seed(seed)) < 0.3
        settings = {**OURS, "num_steps": num_steps, "temperature": 2.5, "similarity_scale": 4.0}
        lists = [tensor.tolist() for tensor in (embeddings, labels, logits, anchors)]
        expected = slow_group_loss(lists[0], lists[1], logits=lists[2], anchors=lists[3], **settings)
        loss = group_loss(embeddings, labels, logits=logits, anchors=anchors, **settings)
        if math.isinf(expected):
            assert 40 / len(labels) < loss < math.inf
        else:
            assert loss.item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(("scale", "positives"), [(0.5, "sum"), (3.0, "sum"), (3.0, "geometric")])
@pytest.mark.parametrize("similarity", ["pearson", "cosine"])
@pytest.mark.parametrize("num_steps", [1, 3])
def test_gradcheck(num_steps: int, similarity: str, scale: float, positives: str) -> None:
    embeddings, labels, logits = random_batch(1, num_rows=6, num_classes=3)

    def loss(embeddings: Tensor, logits: Tensor) -> Tensor:
        settings = {"num_steps": num_steps, "similarity": similarity, "similarity_scale": scale}
        settings |= {"positives": positives}
        return loss_of((embeddings, labels, logits), temperature=2.0, **settings)

    assert torch.autograd.gradcheck(loss, (embeddings.requires_grad_(), logits.requires_grad_()))


def test_with_one_step_and_a_flat_prior_it_is_the_soft_nearest_neighbour_loss() -> None:
    embeddings, labels, logits = random_batch(2, num_classes=3)
    scores = 7.0 * torch.corrcoef(embeddings)
    scores.fill_diagonal_(-math.inf)
    same = labels[:, None] == labels[None, :]
    own = scores.masked_fill(~same, -math.inf).logsumexp(dim=1)
    expected = (scores.logsumexp(dim=1) - own)[same.sum(dim=1) > 1].mean()
    loss = loss_of((embeddings, labels, torch.zeros_like(logits)), similarity_scale=7.0)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-12)


def test_classes_outside_the_batch_make_no_difference() -> None:
    embeddings, labels, logits = random_batch(3)
    more = torch.cat([logits, torch.full((8, 1000), 50.0, dtype=torch.float64)], dim=1)
    loss, _, by_logits = gradients((embeddings, labels, more))
    assert loss.item() == pytest.approx(loss_of((embeddings, labels, logits)).item(), abs=1e-12)
    assert by_logits[:, 5:].abs().max() == 0
    assert loss_of((embeddings, labels, more), class_subset="batch").item() == pytest.approx(loss.item())


def test_images_without_a_partner_do_not_count() -> None:
    embeddings, _, logits = random_batch(4)
    labels = torch.tensor([0, 0, 0, 1, 1, 2, 3, 4])
    dropped = torch.arange(8) != 7  # as an anchor it still votes: only its own loss is left out
    whole = loss_of((embeddings, labels, logits))
    slow = slow_loss_of((embeddings, labels, logits), num_steps=1, temperature=10.0, similarity_scale=10.0)
    assert whole.item() == pytest.approx(slow, abs=1e-9)
    assert whole != loss_of((embeddings[dropped], labels[dropped], logits[dropped]))


@pytest.mark.parametrize("positives", ["sum", "geometric"])
@pytest.mark.parametrize("scale", [0.1, 10.0, 40.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_degenerate_batches_are_finite(dtype: torch.dtype, scale: float, positives: str) -> None:
    embeddings, labels, logits = random_batch(5)
    embeddings, logits = embeddings.to(dtype), logits.to(dtype)
    one, alone = torch.zeros_like(labels), torch.arange(5)
    degenerate = {
        "identical rows": (embeddings[:1].repeat(8, 1), labels, logits),
        "constant rows": (torch.full_like(embeddings, 0.1), labels, logits),
        "zero rows": (torch.zeros_like(embeddings), labels, logits),
        "one class in the batch": (embeddings, one, logits),
        "one class at all": (embeddings, one, logits[:, :1]),
        "one image per class": (embeddings[:5], alone, logits[:5]),
        "one image": (embeddings[:1], labels[:1], logits[:1]),
        "one column": (embeddings[:, :1], labels, logits),
        "tiny embeddings": (1e-25 * embeddings, labels, logits),
        "large embeddings": (1e25 * embeddings, labels, logits),
        "huge logits": (embeddings, labels, 1e6 * logits),
    }
    for name, batch in degenerate.items():
        values = gradients(batch, similarity_scale=scale, num_steps=3, positives=positives)
        assert all(torch.isfinite(value).all() for value in values), name
        if name.startswith("one") and name != "one column":
            assert all(value.abs().max() == 0 for value in values), name


def test_half_precision_and_autocast_compute_in_float32() -> None:
    embeddings, labels, logits = random_batch(6)
    half = embeddings.bfloat16(), labels, logits.bfloat16()
    rounded = half[0].float(), labels, half[2].float()
    assert loss_of(half).dtype == torch.float32
    assert torch.equal(loss_of(half), loss_of(rounded))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(loss_of(rounded), loss_of(half))


def test_a_near_image_of_another_class_weighs_more_under_a_sharper_scale() -> None:
    embeddings, labels, logits = random_batch(7, num_classes=2)
    by_embeddings = [gradients((embeddings, labels, logits), similarity_scale=s)[1] for s in (2.0, 20.0)]
    assert by_embeddings[1].norm() > by_embeddings[0].norm()


def test_under_the_geometric_mean_the_least_similar_positive_is_drawn_as_much_as_the_nearest() -> None:
    labels, logits = torch.tensor([0, 0, 0, 1]), torch.zeros(4, 2, dtype=torch.float64)
    weights = torch.tensor([[0.0, 1.0, 0.01, 0.5]] * 4, dtype=torch.float64).requires_grad_()
    pulls = {}
    for positives in ("sum", "geometric"):
        losses = leave_one_out_cross_entropy(
            weights, logits, labels, num_steps=1, temperature=1.0, positives=positives
        )
        by_weights = torch.autograd.grad(losses[0], weights)[0][0]
        pulls[positives] = -(weights.detach()[0] * by_weights)[
            1:3
        ]  # how much the logarithm of each vote is raised
    assert pulls["sum"][1] == pytest.approx(0.01 * pulls["sum"][0].item())
    assert pulls["geometric"][1] == pytest.approx(pulls["geometric"][0].item())
    assert pulls["geometric"][1] > 0


def test_the_module_gives_the_function_and_may_still_be_given_anchors() -> None:
    embeddings, labels, logits = random_batch(8)
    module = GroupLoss(anchors_per_class="others", **OURS)
    value = module(embeddings, labels, logits=logits)
    assert torch.equal(value, loss_of((embeddings, labels, logits)))
    anchors = torch.arange(8) < 4
    given = module(embeddings, labels, logits=logits, anchors=anchors)
    assert torch.equal(given, group_loss(embeddings, labels, logits=logits, anchors=anchors, **OURS))


def test_a_batch_without_partners_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    embeddings, _, logits = random_batch(9, num_rows=5)
    loss = GroupLoss(anchors_per_class="others", **OURS)
    with caplog.at_level(logging.WARNING, logger="reid_gl"):
        for _ in range(2):
            assert loss(embeddings, torch.arange(5), logits=logits) == 0
    assert len(caplog.records) == 1
    assert "no identity has two images in the batch" in caplog.text


def test_the_step_is_learned_from_by_the_prior() -> None:
    """The classifier learns through the prior: the true class's logit goes up, others of the batch down."""
    embeddings, labels, logits = random_batch(10, num_classes=3)
    by_logits = gradients((embeddings, labels, logits), temperature=1.0)[2]
    truth = F.one_hot(labels, 3).bool()
    assert (by_logits[truth] <= 0).all()
    assert (by_logits[~truth] >= 0).all()


def test_settings_that_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="similarity_scale needs self_similarity=False"):
        GroupLoss(similarity_scale=10.0)
    with pytest.raises(ValueError, match="anchors 'others' need self_similarity=False"):
        GroupLoss(anchors_per_class="others")
    batch = random_batch(11)
    with pytest.raises(ValueError, match="anchors 'others' need self_similarity=False"):
        group_loss(batch[0], batch[1], logits=batch[2], anchors="others")
    with pytest.raises(ValueError, match="unknown anchors per class 'all': expected one of others"):
        GroupLoss(anchors_per_class="all", self_similarity=False)
    with pytest.raises(ValueError, match="positives='geometric' is for anchors 'others' only"):
        GroupLoss(positives="geometric")
    with pytest.raises(ValueError, match="unknown anchors 'all': expected one of others"):
        group_loss(batch[0], batch[1], logits=batch[2], anchors="all", self_similarity=False)
    with pytest.raises(ValueError, match=r"labels must lie in \[0, 5\) like the columns of logits"):
        loss_of((batch[0], batch[1] + 5, batch[2]))
