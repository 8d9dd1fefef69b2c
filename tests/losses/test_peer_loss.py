"""The adapter itself, and similarity matrices in the place of embeddings for any loss of the library."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from pytorch_metric_learning import distances, miners, reducers, regularizers
from pytorch_metric_learning import losses as peer
from torch import Tensor, nn

from reid_gl.losses import PeerLoss, make_triplet_loss, value_of_similarity
from reid_gl.similarity import cosine_similarity

PAIR_LOSSES: dict[str, Callable[[], nn.Module]] = {
    "Circle": peer.CircleLoss,
    "Contrastive": peer.ContrastiveLoss,
    "ContrastiveCosine": lambda: peer.ContrastiveLoss(1.0, 0.2, distance=distances.CosineSimilarity()),
    "DynamicSoftMargin": peer.DynamicSoftMarginLoss,
    "FastAP": peer.FastAPLoss,
    "GeneralizedLifted": peer.GeneralizedLiftedStructureLoss,
    "Instance": peer.InstanceLoss,
    "IntraPairVariance": peer.IntraPairVarianceLoss,
    "Lifted": peer.LiftedStructureLoss,
    "Margin": lambda: peer.MarginLoss(learn_beta=True, beta=1.1),
    "MultiSimilarity": peer.MultiSimilarityLoss,
    "NCA": peer.NCALoss,
    "NPairs": peer.NPairsLoss,
    "NTXent": peer.NTXentLoss,
    "PNP": peer.PNPLoss,
    "RankedList": lambda: peer.RankedListLoss(margin=0.4, Tn=4, alpha=1.2),
    "SupCon": peer.SupConLoss,
    "TripletSquared": lambda: peer.TripletMarginLoss(distance=distances.LpDistance(power=2)),
    "TripletRaw": lambda: peer.TripletMarginLoss(
        distance=distances.LpDistance(normalize_embeddings=False), reducer=reducers.MeanReducer()
    ),
    "TripletSwap": lambda: peer.TripletMarginLoss(swap=True, smooth_loss=True),
    "Tuplet": peer.TupletMarginLoss,
}
MINERS: dict[str, Callable[[], nn.Module]] = {
    "BatchHard": miners.BatchHardMiner,
    "BatchEasyHardCosine": lambda: miners.BatchEasyHardMiner(distance=distances.CosineSimilarity()),
    "HDC": lambda: miners.HDCMiner(filter_percentage=0.5),
    "MultiSimilarity": miners.MultiSimilarityMiner,
    "PairMargin": lambda: miners.PairMarginMiner(pos_margin=0.9, neg_margin=1.2),
    "TripletMargin": lambda: miners.TripletMarginMiner(margin=0.3),
}


def unit_batch(seed: int) -> tuple[Tensor, Tensor]:
    """Close enough pairs that every positive of ranked list loss, and every mined triplet, is there."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randn(12, 4, generator=generator, dtype=torch.float64)
    return F.normalize(rows, dim=1), torch.arange(12) // 3


@pytest.mark.parametrize("name", PAIR_LOSSES)
def test_any_pair_loss_sees_only_the_similarities(name: str) -> None:
    for seed in range(5):
        rows, labels = unit_batch(seed)
        loss = PAIR_LOSSES[name]().double()
        expected = loss(rows, labels).item()
        assert expected > 0
        value = value_of_similarity(PAIR_LOSSES[name]().double(), cosine_similarity(rows), labels)
        assert value.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", MINERS)
def test_a_miner_sees_the_same_matrix(name: str) -> None:
    for seed in range(5):
        rows, labels = unit_batch(seed)
        loss, miner = peer.TripletMarginLoss(margin=0.2), MINERS[name]()
        expected = loss(rows, labels, miner(rows, labels))
        value = value_of_similarity(loss, cosine_similarity(rows), labels, miner)
        assert value.item() == pytest.approx(expected.item(), rel=1e-9, abs=1e-12)
        assert value > 0


def test_the_entries_count_one_by_one() -> None:
    """The library's contrastive loss on a matrix that no embeddings have."""
    similarity = torch.tensor([[0.0, 0.5, 0.9], [0.7, 0.0, 0.1], [0.3, 0.4, 0.0]]).double().requires_grad_()
    loss = peer.ContrastiveLoss(1.0, 0.2, distance=distances.CosineSimilarity())
    value = value_of_similarity(loss, similarity, torch.tensor([0, 0, 1]))
    assert value.item() == pytest.approx((0.5 + 0.3) / 2 + (0.7 + 0.1 + 0.2) / 3)
    value.backward()
    assert similarity.grad is not None
    expected = torch.tensor([[0, -1 / 2, 1 / 3], [-1 / 2, 0, 0], [1 / 3, 1 / 3, 0]]).double()
    assert torch.allclose(similarity.grad, expected)


def test_loss_miner_and_matrix_are_left_as_they_were() -> None:
    rows, labels = unit_batch(0)
    similarity = cosine_similarity(rows)
    before = similarity.clone()
    for loss in (peer.NCALoss(), peer.CircleLoss(), peer.DynamicSoftMarginLoss(), peer.ContrastiveLoss()):
        miner = miners.MultiSimilarityMiner()
        parts = [loss.distance, miner.distance]
        contents = copy.deepcopy(vars(loss)), copy.deepcopy(vars(miner))
        value_of_similarity(loss, similarity, labels, miner)
        assert [loss.distance, miner.distance] == parts
        for old, new in zip(contents, (vars(loss), vars(miner)), strict=True):
            assert old.keys() == new.keys()
            assert {
                key for key in old if isinstance(old[key], int | float | bool) and old[key] != new[key]
            } == set()
        if isinstance(loss, peer.DynamicSoftMarginLoss):
            assert torch.equal(loss.hist_, contents[0]["hist_"])
    assert torch.equal(similarity, before)


def test_a_learned_threshold_still_learns() -> None:
    rows, labels = unit_batch(1)
    loss = peer.MarginLoss(learn_beta=True)
    value_of_similarity(loss, cosine_similarity(rows), labels).backward()
    assert loss.beta.grad is not None
    assert loss.beta.grad.abs().max() > 0


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (lambda: peer.ProxyAnchorLoss(4, 4), "ProxyAnchorLoss .*: it learns class vectors"),
        (lambda: peer.ProxyNCALoss(4, 4), "it learns class vectors"),
        (lambda: peer.ArcFaceLoss(4, 4), "it learns class vectors"),
        (lambda: peer.SoftTripleLoss(4, 4), "it learns class vectors"),
        (lambda: peer.ManifoldLoss(4), "ManifoldLoss"),
        (lambda: peer.AngularLoss(), "AngularLoss .*: it reads the embeddings themselves"),
        pytest.param(
            lambda: peer.SmoothAPLoss(),
            "SmoothAPLoss .*: it reads the embeddings themselves",
            marks=pytest.mark.skipif(not hasattr(peer, "SmoothAPLoss"), reason="it came after 2.8"),
        ),
        (lambda: peer.SelfSupervisedLoss(peer.NTXentLoss()), "SelfSupervisedLoss .*: it has no distance"),
        (lambda: peer.CrossBatchMemory(peer.NTXentLoss(), 4), "CrossBatchMemory .*: it has no distance"),
        (lambda: nn.CrossEntropyLoss(), "CrossEntropyLoss .*: it has no distance"),
        (lambda: make_triplet_loss(), "PeerLoss .*: it has no distance"),
        (
            lambda: peer.ContrastiveLoss(distance=distances.SNRDistance()),
            "ContrastiveLoss .*: SNRDistance is neither a cosine nor a Euclidean distance",
        ),
        (
            lambda: peer.ContrastiveLoss(distance=distances.LpDistance(p=1)),
            "LpDistance is neither a cosine nor a Euclidean distance",
        ),
        (
            lambda: peer.ContrastiveLoss(embedding_regularizer=regularizers.LpRegularizer()),
            "its regulariser reads the embeddings themselves",
        ),
    ],
)
def test_what_does_not_compare_pairs(loss: Callable[[], nn.Module], message: str) -> None:
    rows, labels = unit_batch(0)
    with pytest.raises(TypeError, match=message):
        value_of_similarity(loss(), cosine_similarity(rows), labels)


@pytest.mark.parametrize(
    ("miner", "message"),
    [
        (lambda: miners.DistanceWeightedMiner(), "DistanceWeightedMiner .*: it reads the number of features"),
        (lambda: miners.AngularMiner(), "AngularMiner .*: it reads the embeddings themselves"),
    ],
)
def test_miners_that_do_not_compare_pairs(miner: Callable[[], nn.Module], message: str) -> None:
    rows, labels = unit_batch(0)
    with pytest.raises(TypeError, match=message):
        value_of_similarity(peer.TripletMarginLoss(), cosine_similarity(rows), labels, miner())


def test_shapes() -> None:
    rows, labels = unit_batch(0)
    with pytest.raises(ValueError, match=r"expected similarities \(N, N\) and labels \(N,\), got \(12, 4\)"):
        value_of_similarity(peer.ContrastiveLoss(), rows, labels)
    with pytest.raises(
        ValueError, match=r"expected embeddings \(N, D\) and labels \(N,\), got \(12, 4\) and"
    ):
        PeerLoss(peer.ContrastiveLoss())(rows, labels[:3])


def test_a_loss_that_is_not_one_number() -> None:
    rows, labels = unit_batch(0)
    with pytest.raises(ValueError, match="no single number: choose a reducer"):
        value_of_similarity(
            peer.ContrastiveLoss(reducer=reducers.DoNothingReducer()), cosine_similarity(rows), labels
        )


class _Given(nn.Module):
    """A loss that says what it is told to say."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value

    def forward(self, *_: Any) -> Any:
        return self.value


@pytest.mark.parametrize("value", [0, 0.0, torch.tensor(0.0), torch.tensor([0.0])])
def test_a_value_without_a_graph_gets_one(value: Any) -> None:
    rows, labels = unit_batch(0)
    rows.requires_grad_()
    found = PeerLoss(_Given(value))(rows, labels)
    assert found.shape == ()
    assert found == 0
    (gradient,) = torch.autograd.grad(found, rows)
    assert gradient.abs().max() == 0


def test_a_broken_value_is_not_hidden() -> None:
    rows, labels = unit_batch(0)
    assert PeerLoss(_Given(torch.tensor(float("nan"))))(rows, labels).isnan()
