"""Losses of pytorch-metric-learning (MIT), with the call interface of this package's losses.

The library is imported when the first of these losses is built, because importing it takes a second.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from reid_gl.losses.peer_loss import PeerLoss


def make_triplet_loss(*, margin: float = 0.3, normalize: bool = False) -> PeerLoss:
    """Batch-hard triplet loss: mean of [margin + d_ap - d_an]+ over anchors.

    d_ap is the distance to the anchor's farthest positive, d_an that to its nearest negative.

    An anchor without a positive or without a negative does not count.

    Args:
        margin: in units of the Euclidean distance.
        normalize: compare unit vectors instead of the raw embeddings.

    Source:
        Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", arXiv 1703.07737,
        section 2 (batch hard).
    """
    return _make_batch_hard(normalize, margin=margin, smooth_loss=False)


def make_soft_triplet_loss(*, normalize: bool = False) -> PeerLoss:
    """Soft-margin triplet loss: log(1 + exp(d_ap - d_an)), otherwise as make_triplet_loss.

    Args:
        normalize: compare unit vectors instead of the raw embeddings.

    Source:
        Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", arXiv 1703.07737,
        section 2 (soft margin).
    """
    return _make_batch_hard(normalize, margin=0.0, smooth_loss=True)


def make_circle_loss(*, margin: float = 0.25, scale: float = 128.0) -> PeerLoss:
    """Circle loss on pairs: weights each similarity by its distance from its optimum.

    The mean is over anchors with a nonzero loss.

    Args:
        margin: relaxation, as a cosine; the defaults are the paper's for person re-identification.
        scale: inverse temperature, positive.

    Source:
        Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", CVPR 2020,
        section 3.
    """
    from pytorch_metric_learning.losses import CircleLoss

    return _on_directions(CircleLoss(m=margin, gamma=_positive("scale", scale)))


def make_contrastive_loss(*, positive_similarity: float = 1.0, negative_similarity: float = 0.5) -> PeerLoss:
    """Mean shortfall of the positives plus mean excess of the negatives, over pairs with a nonzero loss.

    Args:
        positive_similarity: cosine below which a positive pair counts.
        negative_similarity: cosine above which a negative pair counts.

    Source:
        Hadsell et al., "Dimensionality Reduction by Learning an Invariant Mapping", CVPR 2006, section
        2.1; on cosines and linear in them as in Wang et al., "Multi-Similarity Loss", CVPR 2019, eq. 4.
    """
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.losses import ContrastiveLoss

    margins = {"pos_margin": positive_similarity, "neg_margin": negative_similarity}
    return _on_directions(ContrastiveLoss(**margins, distance=CosineSimilarity()))


def make_lifted_structure_loss(*, margin: float = 0.0) -> PeerLoss:
    """Mean of [log sum_P exp(-S) + log sum_N exp(S + margin)]+ over anchors.

    The threshold in the paper's two sums cancels, so the only setting is the difference between the two. For
    an anchor without positives, or without negatives, the missing logarithm is 0.

    Args:
        margin: added to the cosines of negatives; 0 as in the paper.

    Source:
        Hermans et al., "In Defense of the Triplet Loss for Person Re-Identification", arXiv 1703.07737,
        eq. 7; on cosines as in Wang et al., "Multi-Similarity Loss", CVPR 2019, section 3.
    """
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.losses import GeneralizedLiftedStructureLoss

    margins = {"pos_margin": 0.0, "neg_margin": -margin}
    return _on_directions(GeneralizedLiftedStructureLoss(**margins, distance=CosineSimilarity()))


def make_supervised_contrastive_loss(*, temperature: float = 0.1) -> PeerLoss:
    """Supervised contrastive loss: mean over each anchor's positives of the cross-entropy of its cosines.

    An anchor without positives does not count; without a negative in the batch the loss is 0.

    Args:
        temperature: divides the cosines, positive.

    Source:
        Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, eq. 2.
    """
    from pytorch_metric_learning.losses import SupConLoss

    return _on_directions(SupConLoss(temperature=_positive("temperature", temperature)))


def make_proxy_anchor_loss(
    num_classes: int, num_features: int, *, margin: float = 0.1, alpha: float = 32.0
) -> PeerLoss:
    """Proxy anchor loss: each identity's learned proxy pulls its images and pushes others, hardest most.

    Args:
        num_classes: C, number of training identities.
        num_features: D, size of an embedding.
        margin: margin on the cosine.
        alpha: inverse temperature, positive.

    Source:
        Kim et al., "Proxy Anchor Loss for Deep Metric Learning", CVPR 2020, eq. 4.
    """
    from pytorch_metric_learning.losses import ProxyAnchorLoss

    alpha = _positive("alpha", alpha)
    return _on_directions(ProxyAnchorLoss(num_classes, num_features, margin=margin, alpha=alpha))


def make_arcface_loss(
    num_classes: int, num_features: int, *, margin_degrees: float = 28.6, scale: float = 64.0
) -> PeerLoss:
    """Cross-entropy on scaled cosines to class vectors; margin_degrees is added to the true class's angle.

    Cosines are kept a rounding error inside (-1, 1), because the angle has no derivative at the ends. An
    embedding that is parallel to a class vector gets no gradient from that class.

    Args:
        num_classes: C, number of training identities.
        num_features: D, size of an embedding.
        margin_degrees: added to the angle of the true class.
        scale: inverse temperature, positive.

    Source:
        Deng et al., "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", CVPR 2019,
        section 2.1; class vectors start at N(0, 0.01) as in the authors' code.
    """
    from pytorch_metric_learning.distances import CosineSimilarity
    from pytorch_metric_learning.losses import ArcFaceLoss

    distance = CosineSimilarity()
    distance.compute_mat = _bounded_cosines
    settings = {"scale": _positive("scale", scale), "weight_init_func": _start_small}
    return _on_directions(
        ArcFaceLoss(num_classes, num_features, margin=margin_degrees, distance=distance, **settings)
    )


def make_cosface_loss(
    num_classes: int, num_features: int, *, margin: float = 0.35, scale: float = 64.0
) -> PeerLoss:
    """Cross-entropy on scaled cosines to class vectors; the true class's cosine is reduced by the margin.

    Args:
        num_classes: C, number of training identities.
        num_features: D, size of an embedding.
        margin: margin on the cosine.
        scale: inverse temperature, positive.

    Source:
        Wang et al., "CosFace: Large Margin Cosine Loss for Deep Face Recognition", CVPR 2018, eq. 4;
        class vectors start as in make_arcface_loss.
    """
    from pytorch_metric_learning.losses import CosFaceLoss

    settings = {"scale": _positive("scale", scale), "weight_init_func": _start_small}
    return _on_directions(CosFaceLoss(num_classes, num_features, margin=margin, **settings))


def _on_directions(loss: nn.Module) -> PeerLoss:
    return PeerLoss(loss, only_directions=True)


def _make_batch_hard(normalize: bool, **settings: Any) -> PeerLoss:  # noqa: ANN401
    from pytorch_metric_learning.distances import LpDistance
    from pytorch_metric_learning.losses import TripletMarginLoss
    from pytorch_metric_learning.miners import BatchHardMiner
    from pytorch_metric_learning.reducers import MeanReducer

    distance = LpDistance(normalize_embeddings=normalize)
    distance.compute_mat = _accurate_distances
    loss = TripletMarginLoss(distance=distance, reducer=MeanReducer(), **settings)
    return PeerLoss(loss, miner=BatchHardMiner(distance=distance), only_directions=normalize)


def _accurate_distances(query: Tensor, reference: Tensor) -> Tensor:
    """Distances without |a|^2 + |b|^2 - 2ab, which loses small ones; torch uses it from 26 rows on."""
    return torch.cdist(query, reference, compute_mode="donot_use_mm_for_euclid_dist")


def _bounded_cosines(query: Tensor, reference: Tensor) -> Tensor:
    """Cosines of unit rows, clamped a rounding error inside (-1, 1): acos has no derivative at the ends."""
    largest = 1.0 - 2.0 * torch.finfo(query.dtype).eps
    return (query @ reference.T).clamp(-largest, largest)


def _start_small(weight: Tensor) -> None:
    """Initialise class vectors at N(0, 0.01): their length sets how fast they turn at a learning rate."""
    torch.nn.init.normal_(weight, std=0.01)


def _positive(name: str, value: float) -> float:
    if not value > 0:
        raise ValueError(f"{name} must be positive, got {value}")
    return value
