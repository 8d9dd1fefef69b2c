"""The losses taken from pytorch-metric-learning, each with its slow version and the library's own object."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from pytorch_metric_learning import distances, reducers
from pytorch_metric_learning import losses as peer
from torch import Tensor, nn

from reid_gl.losses import metric_learning as makers
from reid_gl.losses.peer_loss import PeerLoss
from tests.reference import slow_peer_losses as slow

NUM_CLASSES, WIDTH = 6, 5


class Case(NamedTuple):
    """A maker with settings that are not its defaults, the slow version, the library's own object."""

    make: Callable[..., PeerLoss]
    settings: dict[str, Any]
    slow: Callable[..., float]
    raw: Callable[..., nn.Module]
    learns: bool = False
    slow_settings: dict[str, Any] | None = None

    def build(self, dtype: torch.dtype = torch.float64) -> PeerLoss:
        with torch.random.fork_rng():
            torch.manual_seed(5)
            sizes = (NUM_CLASSES, WIDTH) if self.learns else ()
            return self.make(*sizes, **self.settings).to(dtype)


def raw_triplet(**settings: Any) -> nn.Module:
    distance = distances.LpDistance(normalize_embeddings=False)
    return peer.TripletMarginLoss(distance=distance, reducer=reducers.MeanReducer(), **settings)


CASES = {
    "triplet": Case(
        makers.make_triplet_loss,
        {"margin": 0.7},
        slow.slow_triplet_loss,
        lambda: raw_triplet(margin=0.7),
    ),
    "soft_triplet": Case(
        makers.make_soft_triplet_loss,
        {},
        slow.slow_triplet_loss,
        lambda: raw_triplet(margin=0.0, smooth_loss=True),
        slow_settings={"margin": None},
    ),
    "circle": Case(
        makers.make_circle_loss,
        {"margin": 0.3, "scale": 4.0},  # above 20 torch's softplus leaves out the last 1e-9
        slow.slow_circle_loss,
        lambda: peer.CircleLoss(m=0.3, gamma=4.0),
    ),
    "contrastive": Case(
        makers.make_contrastive_loss,
        {"positive_similarity": 0.9, "negative_similarity": 0.2},
        slow.slow_contrastive_loss,
        lambda: peer.ContrastiveLoss(0.9, 0.2, distance=distances.CosineSimilarity()),
    ),
    "lifted_structure": Case(
        makers.make_lifted_structure_loss,
        {"margin": 0.4},
        slow.slow_lifted_structure_loss,
        lambda: peer.GeneralizedLiftedStructureLoss(
            neg_margin=-0.4, pos_margin=0.0, distance=distances.CosineSimilarity()
        ),
    ),
    "supervised_contrastive": Case(
        makers.make_supervised_contrastive_loss,
        {"temperature": 0.3},
        slow.slow_supervised_contrastive_loss,
        lambda: peer.SupConLoss(temperature=0.3),
    ),
    "proxy_anchor": Case(
        makers.make_proxy_anchor_loss,
        {"margin": 0.2, "alpha": 8.0},
        slow.slow_proxy_anchor_loss,
        lambda: peer.ProxyAnchorLoss(NUM_CLASSES, WIDTH, margin=0.2, alpha=8.0),
        learns=True,
    ),
    "arcface": Case(
        makers.make_arcface_loss,
        {"margin_degrees": 40.0, "scale": 12.0},
        slow.slow_arcface_loss,
        lambda: peer.ArcFaceLoss(NUM_CLASSES, WIDTH, margin=40.0, scale=12.0),
        learns=True,
    ),
    "cosface": Case(
        makers.make_cosface_loss,
        {"margin": 0.25, "scale": 12.0},
        slow.slow_cosface_loss,
        lambda: peer.CosFaceLoss(NUM_CLASSES, WIDTH, margin=0.25, scale=12.0),
        learns=True,
    ),
}

PAIRS = [name for name, case in CASES.items() if not case.learns]
LEARNED = [name for name, case in CASES.items() if case.learns]


def random_batch(
    seed: int, *, dtype: torch.dtype = torch.float64, num_rows: int = 9
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    rows = 3 * torch.randn(num_rows, WIDTH, generator=generator, dtype=torch.float64)
    return rows.to(dtype), torch.randint(NUM_CLASSES - 1, (num_rows,), generator=generator)


def vectors(loss: PeerLoss) -> Tensor:
    """What it learns, (C, D)."""
    (parameter,) = loss.parameters()
    return parameter if parameter.shape == (NUM_CLASSES, WIDTH) else parameter.T


def gradients(loss: PeerLoss, rows: Tensor, labels: Tensor) -> tuple[Tensor, list[Tensor]]:
    rows = rows.clone().requires_grad_()
    value = loss(rows, labels)
    assert value.shape == ()
    return value.detach(), list(torch.autograd.grad(value, [rows, *loss.parameters()]))
