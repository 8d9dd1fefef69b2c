from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import pytorch_metric_learning.losses as pml
import torch
from pytorch_metric_learning.distances import CosineSimilarity
from pytorch_metric_learning.miners import MultiSimilarityMiner
from pytorch_metric_learning.reducers import DoNothingReducer, SumReducer
from torch import Tensor, nn

from reid_gl.losses import BinomialDevianceLoss, MultiSimilarityLoss, RankedListLoss, make_loss, pair_weights
from reid_gl.losses.metric_learning import make_lifted_structure_loss
from reid_gl.losses.pairs import pair_masks, pair_similarity
from tests.reference import slow_pair_weights as slow

SEEDS = pytest.mark.parametrize("seed", range(8))
LOSSES: dict[str, Callable[[], nn.Module]] = {
    "ranked list": RankedListLoss,
    "multi-similarity": MultiSimilarityLoss,
    "binomial deviance": BinomialDevianceLoss,
    "contrastive": lambda: pml.ContrastiveLoss(1.0, 0.3, distance=CosineSimilarity()),
    "triplet": lambda: pml.TripletMarginLoss(0.2, distance=CosineSimilarity()),
    "Euclidean triplet": lambda: pml.TripletMarginLoss(0.2),
    "circle": pml.CircleLoss,
    "supervised contrastive": pml.SupConLoss,
    "our lifted structure": make_lifted_structure_loss,
    "our batch-hard triplet": lambda: make_loss("triplet", num_classes=3, num_features=4),
}
ANY_LOSS = pytest.mark.parametrize("name", LOSSES)


class OfSimilarity(nn.Module):
    """A loss that is any function of the similarities."""

    def __init__(self, function: Callable[[Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.from_similarity = function


def random_batch(
    seed: int,
    *,
    num_identities: int = 3,
    num_images: int = 3,
    width: int = 4,
    dtype: torch.dtype = torch.float64,
) -> tuple[Tensor, Tensor]:
    """Embeddings whose positives and negatives overlap, and labels in random order."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(num_identities).repeat_interleave(num_images)
    labels = labels[torch.randperm(len(labels), generator=generator)]
    centers = torch.randn(num_identities, width, generator=generator, dtype=torch.float64)
    noise = torch.randn(len(labels), width, generator=generator, dtype=torch.float64)
    return (centers[labels] + noise).to(dtype), labels


def assert_weights(weights: Tensor, expected: slow.Weights, factor: float = 1.0) -> None:
    wanted = factor * torch.tensor(expected, dtype=torch.float64)
    assert wanted.count_nonzero() > 0
    torch.testing.assert_close(weights, wanted, rtol=1e-10, atol=1e-10)


def similarities(batch: tuple[Tensor, Tensor]) -> tuple[list[list[float]], list[int]]:
    return pair_similarity(*batch).tolist(), batch[1].tolist()


def test_three_images_by_hand() -> None:
    """S_01 = 0.6 (positive), S_02 = 0, S_12 = 0.8."""
    embeddings = torch.tensor([[1.0, 0.0], [0.6, 0.8], [0.0, 1.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1])
    loss = pml.TripletMarginLoss(margin=0.1, distance=CosineSimilarity(), reducer=SumReducer())
    # image 0: 0 - 0.6 + 0.1 < 0; image 1: 0.8 - 0.6 + 0.1 > 0; image 2 has no positive
    expected = torch.tensor([[0, 0, 0], [1, 0, 1], [0, 0, 0]], dtype=torch.float64)
    assert torch.equal(pair_weights(loss, embeddings, labels), 3 * expected)


@SEEDS
def test_contrastive_gives_one_to_positives_and_to_near_negatives(seed: int) -> None:
    """The closed form is that of 1/N times the sum: summed without 1/N, weights are N times as large."""
    batch = random_batch(seed)
    loss = pml.ContrastiveLoss(1.0, 0.2, distance=CosineSimilarity(), reducer=SumReducer())
    expected = slow.slow_contrastive_weights(*similarities(batch), threshold=0.2)
    assert_weights(pair_weights(loss, *batch), expected, factor=len(batch[1]))


@SEEDS
def test_the_default_reducer_divides_by_the_pairs_that_cost_something(seed: int) -> None:
    """pytorch-metric-learning averages positives and negatives apart, each over those above zero."""
    embeddings, labels = random_batch(seed)
    loss = pml.ContrastiveLoss(1.0, 0.2, distance=CosineSimilarity())
    expected = slow.slow_contrastive_weights(*similarities((embeddings, labels)), threshold=0.2)
    weights = pair_weights(loss, embeddings, labels)
    for mask in pair_masks(labels):
        kind = torch.where(mask, torch.tensor(expected, dtype=torch.float64), 0.0)
        wanted = len(labels) * kind / kind.sum().clamp_min(1)
        torch.testing.assert_close(torch.where(mask, weights, 0.0), wanted, rtol=1e-10, atol=1e-10)


@SEEDS
def test_triplet_gives_one_per_active_hinge(seed: int) -> None:
    batch = random_batch(seed)
    loss = pml.TripletMarginLoss(0.1, distance=CosineSimilarity(), reducer=SumReducer())
    expected = slow.slow_triplet_weights(*similarities(batch), margin=0.1)
    assert_weights(pair_weights(loss, *batch), expected, factor=len(batch[1]))


@SEEDS
@pytest.mark.parametrize("generalized", [True, False])
def test_lifted_structure_gives_softmax_weights(seed: int, generalized: bool) -> None:
    batch = random_batch(seed)
    kind = pml.GeneralizedLiftedStructureLoss if generalized else pml.LiftedStructureLoss
    reference = slow.slow_generalized_lifted_weights if generalized else slow.slow_lifted_weights
    expected = reference(*similarities(batch), positive_margin=0.9, negative_margin=0.1)
    loss = kind(neg_margin=0.1, pos_margin=0.9, distance=CosineSimilarity())
    assert_weights(pair_weights(loss, *batch), expected)
    if generalized:  # only the difference of the margins matters
        assert_weights(pair_weights(make_lifted_structure_loss(margin=0.8), *batch), expected)


@SEEDS
def test_binomial_deviance_gives_sigmoid_weights(seed: int) -> None:
    batch = random_batch(seed)
    settings = {"alpha": 2.0, "beta": 30.0, "base": 0.4}
    expected = slow.slow_binomial_deviance_weights(*similarities(batch), **settings)
    assert_weights(pair_weights(BinomialDevianceLoss(**settings), *batch), expected)


@SEEDS
@pytest.mark.parametrize("epsilon", [None, 0.1])
def test_multi_similarity_gives_the_formulas_of_the_paper(seed: int, epsilon: float | None) -> None:
    batch = random_batch(seed)
    settings: dict[str, Any] = {"alpha": 2.0, "beta": 40.0, "base": 0.5, "epsilon": epsilon}
    expected = slow.slow_multi_similarity_weights(*similarities(batch), **settings)
    assert_weights(pair_weights(MultiSimilarityLoss(**settings), *batch), expected)


@SEEDS
def test_a_miner_of_pytorch_metric_learning_limits_its_loss_to_what_it_finds(seed: int) -> None:
    batch = random_batch(seed)
    settings = {"alpha": 2.0, "beta": 40.0, "base": 0.5}
    expected = slow.slow_multi_similarity_weights(*similarities(batch), **settings, epsilon=0.1)
    miner = MultiSimilarityMiner(epsilon=0.1)
    assert_weights(pair_weights(pml.MultiSimilarityLoss(**settings), *batch, miner=miner), expected)


@SEEDS
def test_a_euclidean_loss_follows_the_chain_rule(seed: int) -> None:
    """d = sqrt(2 - 2S), so |dd/dS| = 1/d: the weight by the distance is that of similarities -d."""
    batch = random_batch(seed)
    labels = batch[1].tolist()
    distances = (2 - 2 * pair_similarity(*batch)).clamp_min(0).sqrt()
    by_distance = slow.slow_triplet_weights((-distances).tolist(), labels, margin=0.1)
    expected = [
        [weight / distance if weight else 0.0 for weight, distance in zip(*rows, strict=True)]
        for rows in zip(by_distance, distances.tolist(), strict=True)
    ]
    loss = pml.TripletMarginLoss(0.1, reducer=SumReducer())
    assert_weights(pair_weights(loss, *batch), expected, factor=len(labels))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["ranked list", "multi-similarity", "binomial deviance"])
def test_moving_one_entry_moves_the_loss_by_its_weight(seed: int, name: str) -> None:
    batch = random_batch(seed, num_identities=2)
    rows, labels = similarities(batch)
    loss: Any = LOSSES[name]()
    expected = slow.slow_derivative(
        lambda rows: float(loss.from_similarity(torch.tensor(rows, dtype=torch.float64), batch[1])), rows
    )
    assert len(expected) == len(labels)
    wanted = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(pair_weights(loss, *batch), wanted, rtol=1e-6, atol=1e-7)


@ANY_LOSS
def test_a_image_is_no_pair_with_itself_and_the_order_does_not_matter(name: str) -> None:
    for seed in range(5):
        embeddings, labels = random_batch(seed)
        weights = pair_weights(LOSSES[name](), embeddings, labels)
        assert weights.shape == (len(labels), len(labels))
        assert (weights >= 0).all()
        assert (weights > 0).any()
        assert (weights.diagonal() == 0).all()
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))
        moved = pair_weights(LOSSES[name](), embeddings[order], labels[order])
        torch.testing.assert_close(moved, weights[order][:, order], rtol=1e-10, atol=1e-12)


@ANY_LOSS
def test_lengths_of_embeddings_do_not_matter(name: str) -> None:
    embeddings, labels = random_batch(0)
    scales = torch.linspace(0.1, 10, len(labels), dtype=torch.float64)[:, None]
    torch.testing.assert_close(
        pair_weights(LOSSES[name](), scales * embeddings, labels),
        pair_weights(LOSSES[name](), embeddings, labels),
        rtol=1e-10,
        atol=1e-12,
    )


@ANY_LOSS
def test_neither_loss_nor_embeddings_are_changed(name: str) -> None:
    embeddings, labels = random_batch(1)
    loss = LOSSES[name]()
    before, modules = copy.deepcopy(loss), list(loss.modules())
    kept = embeddings.clone()
    embeddings.requires_grad_()
    weights = pair_weights(loss, embeddings, labels)
    assert not weights.requires_grad
    assert embeddings.grad is None
    assert torch.equal(embeddings.detach(), kept)
    assert [id(module) for module in loss.modules()] == [id(module) for module in modules]
    assert str(vars(loss)) == str(vars(before))
    assert torch.equal(pair_weights(loss, embeddings, labels), weights)


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
@ANY_LOSS
def test_it_works_where_gradients_are_off(name: str, mode: Callable[[], Any]) -> None:
    batch = random_batch(2)
    expected = pair_weights(LOSSES[name](), *batch)
    with mode():
        weights = pair_weights(LOSSES[name](), batch[0] * 1.0, batch[1] * 1)
    assert torch.equal(weights, expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_and_autocast_give_the_float32_weights(dtype: torch.dtype) -> None:
    embeddings, labels = random_batch(3, dtype=dtype)
    expected = pair_weights(MultiSimilarityLoss(), embeddings.float(), labels)
    assert expected.dtype == torch.float32
    assert torch.equal(pair_weights(MultiSimilarityLoss(), embeddings, labels), expected)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(pair_weights(MultiSimilarityLoss(), embeddings, labels), expected)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@ANY_LOSS
def test_a_gpu_gives_the_same(name: str) -> None:
    batch = random_batch(4)
    weights = pair_weights(LOSSES[name](), *(tensor.cuda() for tensor in batch))
    assert weights.device.type == "cuda"
    torch.testing.assert_close(weights.cpu(), pair_weights(LOSSES[name](), *batch), rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2], [0]])
@ANY_LOSS
def test_batches_without_one_kind_of_pair_have_finite_weights(
    name: str, labels: list[int], dtype: torch.dtype
) -> None:
    """The loss decides; where it says nothing, or a constant without a graph, weights are 0."""
    embeddings = random_batch(0, dtype=dtype)[0][: len(labels)]
    weights = pair_weights(LOSSES[name](), embeddings, torch.tensor(labels))
    assert torch.isfinite(weights).all()
    assert weights.dtype == dtype
    if name in ("triplet", "Euclidean triplet", "multi-similarity") or len(labels) == 1:
        assert (weights == 0).all()


@pytest.mark.parametrize(
    "function",
    [
        lambda similarity, _: torch.tensor(0.0),
        lambda similarity, _: 0.0 * similarity.sum(),
        lambda similarity, _: nn.Parameter(torch.ones(())) * 2,
    ],
    ids=["constant", "zero with a graph", "of its own parameters only"],
)
def test_a_loss_that_does_not_depend_on_the_pairs_has_zero_weights(function: Any) -> None:
    weights = pair_weights(OfSimilarity(function), *random_batch(0))
    assert torch.equal(weights, torch.zeros(9, 9, dtype=torch.float64))


@pytest.mark.parametrize("name", ["group", "cross_entropy", "center", "circle_classifier"])
def test_a_loss_of_ours_on_something_else_is_refused(name: str) -> None:
    loss = make_loss(name, num_classes=3, num_features=4)
    message = rf"{type(loss).__name__} has no pair weights: it does not depend .* MultiSimilarityLoss"
    with pytest.raises(TypeError, match=message):
        pair_weights(loss, *random_batch(0))


@pytest.mark.parametrize("name", ["proxy_anchor", "arcface", "cosface"])
def test_an_adapted_loss_with_class_vectors_is_refused(name: str) -> None:
    loss = make_loss(name, num_classes=3, num_features=4)
    with pytest.raises(TypeError, match=r"does not compare the images of a batch in pairs"):
        pair_weights(loss, *random_batch(0))


def test_a_proxy_loss_of_pytorch_metric_learning_is_refused() -> None:
    with pytest.raises(TypeError, match="ProxyAnchorLoss"):
        pair_weights(pml.ProxyAnchorLoss(3, 4), *random_batch(0))


def test_a_miner_goes_with_a_raw_loss_only() -> None:
    with pytest.raises(TypeError, match="MultiSimilarityLoss takes no miner here"):
        pair_weights(MultiSimilarityLoss(), *random_batch(0), miner=MultiSimilarityMiner())


@pytest.mark.parametrize(
    "loss",
    [
        pml.TripletMarginLoss(reducer=DoNothingReducer()),
        OfSimilarity(lambda similarity, _: similarity.sum(dim=1)),
    ],
    ids=["no reducer", "one number per row"],
)
def test_a_loss_that_is_not_one_number_is_refused(loss: nn.Module) -> None:
    with pytest.raises(ValueError, match="single number: choose a reducer"):
        pair_weights(loss, *random_batch(0))


def test_shapes_must_agree() -> None:
    embeddings, labels = random_batch(0)
    with pytest.raises(ValueError, match=r"expected embeddings \(N, D\) and labels \(N,\), got \(9, 4\)"):
        pair_weights(MultiSimilarityLoss(), embeddings, labels[:-1])
