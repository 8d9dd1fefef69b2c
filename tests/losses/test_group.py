from __future__ import annotations

import doctest
import logging
import math
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import reid_gl.losses.group
from reid_gl.losses import GroupLoss, choose_anchors, group_loss, replicator_dynamics
from tests.reference.slow_group_loss import slow_group_loss

LN2, LN3, LN7 = math.log(2), math.log(3), math.log(7)


class Case(NamedTuple):
    embeddings: Tensor
    labels: Tensor
    logits: Tensor
    anchors: Tensor


def _random_case(seed: int, *, num_rows: int = 8, num_classes: int = 5, width: int = 6) -> Case:
    generator = torch.Generator().manual_seed(seed)
    return Case(
        torch.randn(num_rows, width, generator=generator, dtype=torch.float64),
        torch.randint(num_classes, (num_rows,), generator=generator),
        3 * torch.randn(num_rows, num_classes, generator=generator, dtype=torch.float64),
        torch.rand(num_rows, generator=generator) < 0.3,
    )


def _three_images() -> Case:
    """Correlations: 0.5 between images 0 and 1, -1 and -0.5 with image 2. Image 0 is the anchor."""
    return Case(
        torch.tensor([[1, -1, 0], [1, 0, -1], [-1, 1, 0]], dtype=torch.float64),
        torch.tensor([0, 0, 1]),
        torch.zeros(3, 2, dtype=torch.float64),
        torch.tensor([True, False, False]),
    )


def _loss(case: Case, **settings: Any) -> Tensor:
    return group_loss(case.embeddings, case.labels, logits=case.logits, anchors=case.anchors, **settings)


def _loss_and_gradients(case: Case, **settings: Any) -> tuple[Tensor, Tensor, Tensor]:
    live = case._replace(
        embeddings=case.embeddings.clone().requires_grad_(), logits=case.logits.clone().requires_grad_()
    )
    loss = _loss(live, **settings)
    return loss.detach(), *torch.autograd.grad(loss, [live.embeddings, live.logits])


def _slow_loss(case: Case, **settings: Any) -> float:
    embeddings, labels, logits, anchors = (tensor.tolist() for tensor in case)
    return slow_group_loss(embeddings, labels, logits=logits, anchors=anchors, **settings)


def _assert_finite(case: Case, **settings: Any) -> None:
    for value in _loss_and_gradients(case, **settings):
        assert torch.isfinite(value).all()


@pytest.mark.parametrize(
    ("num_steps", "self_similarity", "expected"),
    [
        # image 1: support .5 (1, 0) + (.5, .5) = (1, .5), belief (2/3, 1/3); image 2 hears only itself
        (1, True, (LN3 - LN2 + LN2) / 2),
        # again: support (7/6, 1/3), belief (7/8, 1/8)
        (2, True, (3 * LN2 - LN7 + LN2) / 2),
        # image 1 hears the anchor only: belief (1, 0); image 2 hears nobody and keeps (1/2, 1/2)
        (1, False, LN2 / 2),
    ],
)
def test_three_images_by_hand(num_steps: int, self_similarity: bool, expected: float) -> None:
    loss = _loss(_three_images(), num_steps=num_steps, self_similarity=self_similarity)
    assert loss.item() == pytest.approx(expected, abs=1e-12)


def test_the_example_in_the_docstring() -> None:
    results = doctest.testmod(reid_gl.losses.group)
    assert results.attempted >= 5
    assert results.failed == 0


@pytest.mark.parametrize("self_similarity", [True, False])
@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_agrees_with_the_slow_version(num_steps: int, self_similarity: bool) -> None:
    for seed in range(8):
        case = _random_case(seed)
        if seed % 4 == 0:
            case = case._replace(anchors=torch.zeros(len(case.labels), dtype=torch.bool))
        settings = {"num_steps": num_steps, "temperature": 2.5, "self_similarity": self_similarity}
        expected = _slow_loss(case, **settings)
        if math.isinf(expected):  # a row heard only anchors of other classes: about 20 log 10 nats, see below
            assert 40 / len(case.labels) < _loss(case, **settings) < math.inf
        else:
            assert _loss(case, **settings).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("class_subset", ["all", "batch"])
@pytest.mark.parametrize("negatives", ["clip", "shift"])
@pytest.mark.parametrize("similarity", ["pearson", "cosine"])
def test_every_choice_agrees_with_the_slow_version(
    similarity: str, negatives: str, class_subset: str
) -> None:
    for seed in range(8):
        case = _random_case(seed, num_classes=12)
        choices = {"similarity": similarity, "negatives": negatives, "class_subset": class_subset}
        expected = _slow_loss(case, num_steps=2, temperature=2.0, **choices)
        assert _loss(case, num_steps=2, temperature=2.0, **choices).item() == pytest.approx(
            expected, abs=1e-9
        )


def test_the_choices_differ() -> None:
    case = _random_case(13, num_classes=12)
    changes = ({}, {"similarity": "cosine"}, {"negatives": "shift"}, {"class_subset": "batch"})
    assert len({_loss(case, **change).item() for change in changes}) == len(changes)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_row_that_hears_only_wrong_anchors_has_a_large_finite_loss(dtype: torch.dtype) -> None:
    """The formula says infinity; with 1e-20 in place of no support image 1 believes 2e-20, image 2 1/2."""
    case = _three_images()._replace(labels=torch.tensor([0, 1, 1]))
    case = case._replace(embeddings=case.embeddings.to(dtype), logits=case.logits.to(dtype))
    loss = _loss(case, num_steps=1, self_similarity=False)
    assert loss.item() == pytest.approx((20 * math.log(10) - LN2 + LN2) / 2, rel=1e-6)
    _assert_finite(case, num_steps=3, self_similarity=False)


@pytest.mark.parametrize("negatives", ["clip", "shift"])
@pytest.mark.parametrize("similarity", ["pearson", "cosine"])
@pytest.mark.parametrize("self_similarity", [True, False])
@pytest.mark.parametrize("num_steps", [1, 3])
def test_gradcheck(num_steps: int, self_similarity: bool, similarity: str, negatives: str) -> None:
    case = _random_case(1, num_rows=6, num_classes=4)

    def loss(embeddings: Tensor, logits: Tensor) -> Tensor:
        live = case._replace(embeddings=embeddings, logits=logits)
        choices = {"self_similarity": self_similarity, "similarity": similarity, "negatives": negatives}
        return _loss(live, num_steps=num_steps, temperature=2.0, **choices)

    assert torch.autograd.gradcheck(loss, (case.embeddings.requires_grad_(), case.logits.requires_grad_()))


def test_the_own_logits_of_an_anchor_do_not_matter() -> None:
    case = _random_case(4)
    loss, _, gradient = _loss_and_gradients(case)
    assert gradient[case.anchors].abs().max() == 0
    changed = case._replace(logits=torch.where(case.anchors[:, None], 100.0, case.logits))
    assert torch.equal(_loss(changed), loss)


def test_the_mean_is_over_rows_that_are_no_anchors() -> None:
    """Two more anchors that nobody resembles must not dilute the mean."""
    case = _three_images()
    lonely = torch.full((2, 3), 7.0, dtype=torch.float64)  # constant rows correlate with nothing
    larger = Case(
        torch.cat([case.embeddings, lonely]),
        torch.cat([case.labels, torch.tensor([0, 1])]),
        torch.cat([case.logits, torch.zeros(2, 2, dtype=torch.float64)]),
        torch.cat([case.anchors, torch.tensor([True, True])]),
    )
    assert _loss(larger).item() == pytest.approx(_loss(case).item(), abs=1e-12)


def test_the_order_of_the_batch_and_the_scale_of_embeddings_do_not_matter() -> None:
    for seed in range(8):
        case = _random_case(seed)
        order = torch.randperm(8, generator=torch.Generator().manual_seed(seed))
        shuffled = Case(*(tensor[order] for tensor in case))
        shuffled = shuffled._replace(embeddings=1000 * shuffled.embeddings + 5)
        assert _loss(shuffled).item() == pytest.approx(_loss(case).item(), abs=1e-9)


def test_a_similar_anchor_of_the_right_class_lowers_the_loss() -> None:
    case = _random_case(5)._replace(anchors=torch.zeros(8, dtype=torch.bool))
    labels = case.labels.clone()
    labels[1] = labels[0]
    embeddings = case.embeddings.clone()
    embeddings[1] = embeddings[0]
    without = case._replace(labels=labels, embeddings=embeddings)
    with_anchor = without._replace(anchors=torch.arange(8) == 1)
    slow = [_row_loss(one, 0) for one in (without, with_anchor)]
    assert slow[1] < slow[0]


def _row_loss(case: Case, row: int) -> float:
    """Loss of one row: what its removal from the sum over rows takes away."""
    similarities = torch.corrcoef(case.embeddings).clamp_min(0)
    prior = F.log_softmax(case.logits / 10.0, dim=1)
    truth = F.one_hot(case.labels, case.logits.shape[1]).double()
    return -float(replicator_dynamics(similarities, prior, truth, case.anchors, 2)[row, case.labels[row]])


def test_only_anchors_give_zero_with_a_live_graph() -> None:
    case = _random_case(6)._replace(anchors=torch.ones(8, dtype=torch.bool))
    loss, embedding_gradient, logit_gradient = _loss_and_gradients(case)
    assert loss == 0
    assert embedding_gradient.abs().max() == 0
    assert logit_gradient.abs().max() == 0


def test_rows_without_support_keep_their_belief() -> None:
    case = _random_case(7)
    opposite = torch.stack([case.embeddings[0], -case.embeddings[0]])
    case = Case(opposite, case.labels[:2], case.logits[:2], torch.zeros(2, dtype=torch.bool))
    expected = F.cross_entropy(case.logits / 3.0, case.labels)
    loss = _loss(case, num_steps=3, temperature=3.0, self_similarity=False)
    assert loss.item() == pytest.approx(expected.item(), abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("negatives", ["clip", "shift"])
@pytest.mark.parametrize("similarity", ["pearson", "cosine"])
@pytest.mark.parametrize("class_subset", ["all", "batch"])
@pytest.mark.parametrize("self_similarity", [True, False])
def test_degenerate_batches_are_finite(
    self_similarity: bool, class_subset: str, similarity: str, negatives: str, dtype: torch.dtype
) -> None:
    case = _random_case(8)
    case = case._replace(embeddings=case.embeddings.to(dtype), logits=case.logits.to(dtype))
    degenerate = {
        "identical rows": case._replace(embeddings=case.embeddings[:1].repeat(8, 1)),
        "constant rows": case._replace(embeddings=torch.full_like(case.embeddings, 0.1)),
        "zero rows": case._replace(embeddings=torch.zeros_like(case.embeddings)),
        "one class in the batch": case._replace(labels=torch.zeros_like(case.labels)),
        "one class at all": case._replace(labels=torch.zeros_like(case.labels), logits=case.logits[:, :1]),
        "one image per class": Case(*(tensor[:5] for tensor in case))._replace(labels=torch.arange(5)),
        "one image": Case(*(tensor[:1] for tensor in case)),
        "one column": case._replace(embeddings=case.embeddings[:, :1]),
        "tiny embeddings": case._replace(embeddings=1e-25 * case.embeddings),
        "large embeddings": case._replace(embeddings=1e25 * case.embeddings),
    }
    for changed in degenerate.values():
        _assert_finite(
            changed,
            self_similarity=self_similarity,
            class_subset=class_subset,
            similarity=similarity,
            negatives=negatives,
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("self_similarity", [True, False])
@pytest.mark.parametrize("num_steps", [1, 2, 3])
def test_huge_logits_are_finite(num_steps: int, self_similarity: bool, dtype: torch.dtype) -> None:
    for seed in range(5):
        case = _random_case(seed, num_rows=12)
        case = case._replace(embeddings=case.embeddings.to(dtype), logits=1e4 * case.logits.to(dtype))
        _assert_finite(case, num_steps=num_steps, temperature=1.0, self_similarity=self_similarity)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype: torch.dtype) -> None:
    case = _random_case(9)
    half = case._replace(embeddings=case.embeddings.to(dtype), logits=case.logits.to(dtype))
    rounded = half._replace(embeddings=half.embeddings.float(), logits=half.logits.float())
    assert _loss(half).dtype == torch.float32
    assert torch.equal(_loss(half), _loss(rounded))


@pytest.mark.parametrize("num_steps", [1, 3])
def test_autocast_changes_nothing(num_steps: int) -> None:
    case = _random_case(10)
    case = case._replace(embeddings=case.embeddings.float(), logits=case.logits.float())
    live = case._replace(logits=case.logits.clone().requires_grad_())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = _loss(live, num_steps=num_steps)
        by_logits = torch.autograd.grad(inside, live.logits)[0]  # backward under autocast as well
    expected, _, gradient = _loss_and_gradients(case, num_steps=num_steps)
    assert torch.equal(inside.detach(), expected)
    assert torch.equal(by_logits, gradient)


def test_module_gives_the_function_with_its_settings() -> None:
    case = _random_case(11)
    settings: dict[str, Any] = {
        "num_steps": 3,
        "temperature": 4.0,
        "self_similarity": False,
        "similarity": "cosine",
        "negatives": "shift",
        "class_subset": "batch",
    }
    module = GroupLoss(anchors_per_class=1, anchor_choice="first", **settings)
    chosen = case._replace(anchors=choose_anchors(case.labels, 1, choice="first"))
    value = module(case.embeddings, case.labels, logits=case.logits)
    assert torch.equal(value, _loss(chosen, **settings))
    given = module(case.embeddings, case.labels, logits=case.logits, anchors=case.anchors)
    assert torch.equal(given, _loss(case, **settings))


def test_a_batch_of_anchors_is_warned_about_once(caplog: pytest.LogCaptureFixture) -> None:
    case = _random_case(12)
    loss = GroupLoss(anchors_per_class=8)
    with caplog.at_level(logging.WARNING, logger="reid_gl"):
        for _ in range(2):
            assert loss(case.embeddings, case.labels, logits=case.logits) == 0
    assert len(caplog.records) == 1
    assert "anchors_per_class (8) must be smaller than" in caplog.text


def test_no_anchor_is_legal() -> None:
    case = _random_case(12)
    nobody = case._replace(anchors=torch.zeros(8, dtype=torch.bool))
    loss = GroupLoss(anchors_per_class=0, num_steps=2, temperature=10.0)
    assert torch.equal(loss(case.embeddings, case.labels, logits=case.logits), _loss(nobody))


def test_module_draws_from_the_generator() -> None:
    case = _random_case(12, num_rows=20, num_classes=3)
    values = [
        GroupLoss(anchors_per_class=2)(
            case.embeddings, case.labels, logits=case.logits, generator=torch.Generator().manual_seed(seed)
        )
        for seed in (0, 0, 1)
    ]
    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"embeddings": torch.zeros(2, 3)},
            r"expected embeddings \(N, D\) and labels \(N,\), got \(2, 3\) and \(3,\)",
        ),
        ({"embeddings": torch.zeros(3, 2, 2)}, r"expected embeddings \(N, D\) .* got \(3, 2, 2\)"),
        ({"labels": torch.zeros(3, 1)}, r"expected labels \(N,\), got \(3, 1\)"),
        ({"labels": torch.zeros(3)}, "labels must be int64, got torch.float32"),
        (
            {"embeddings": torch.zeros(0, 3), "labels": torch.zeros(0, dtype=torch.int64)},
            r"a batch needs an image and a feature, got embeddings \(0, 3\)",
        ),
        ({"logits": torch.zeros(3)}, r"expected logits \(N, C\) and labels \(N,\), got \(3,\) and \(3,\)"),
        (
            {"anchors": torch.zeros(4) > 0},
            r"anchors must be a bool tensor of shape \(3,\), got torch.bool \(4,\)",
        ),
        ({"anchors": torch.zeros(3)}, r"anchors must be a bool tensor of shape \(3,\), got torch.float32"),
    ],
)
def test_wrong_shapes(changes: dict[str, Tensor], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        _loss(_three_images()._replace(**changes))


def test_wrong_settings() -> None:
    case = _three_images()
    with pytest.raises(ValueError, match="Group Loss needs at least one step, got 0"):
        _loss(case, num_steps=0)
    with pytest.raises(ValueError, match="anchors per class must not be negative, got -1"):
        GroupLoss(anchors_per_class=-1)
    with pytest.raises(ValueError, match="unknown anchor choice 'last': expected one of random, first"):
        GroupLoss(anchor_choice="last")
    with pytest.raises(ValueError, match="unknown similarity 'dot': expected one of pearson, cosine"):
        GroupLoss(similarity="dot")
    with pytest.raises(
        ValueError, match=r"labels must lie in \[0, 2\) like the columns of logits .* got 0 to 2"
    ):
        _loss(case._replace(labels=torch.tensor([0, 1, 2])))
    with pytest.raises(ValueError, match="the network must have a classifier"):
        GroupLoss()(case.embeddings, case.labels)
