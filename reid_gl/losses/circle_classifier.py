"""Circle loss with class-level labels: a cosine classifier with self-paced weights of its scores."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_gl.losses.batch_loss import BatchLoss
from reid_gl.losses.pairs import check_batch
from reid_gl.similarity import unit_rows


def circle_classifier_loss(
    embeddings: Tensor, labels: Tensor, *, weight: Tensor, margin: float = 0.25, scale: float = 128.0
) -> Tensor:
    """Cross-entropy of circle-weighted cosines between embeddings and learnable class directions.

    With s the cosine, the logit of the true class is scale * [1 + margin - s]+ * (s - (1 - margin)). The
    logit of any other class is scale * [s + margin]+ * (s - margin). The brackets are detached. The loss is
    defined for every batch: a row of zeros has cosine 0 to every class and no gradient; a single class gives
    0 with a live graph.

    Args:
        embeddings: (N, D), any scale.
        labels: (N,) int64 in [0, C).
        weight: (C, D) one direction for each class, any scale.
        margin: relaxation; the optimum is a cosine of 1 + margin to the true class and -margin to the others.
        scale: sharpness of the softmax.

    Returns:
        Scalar, nats per row.

    Raises:
        TypeError, ValueError: see check_batch; or a setting is out of range, or weight does not have D
            columns.

    Source:
        Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", CVPR 2020,
        sections 3 and 4 (class-level labels). pytorch-metric-learning's CircleLoss(m, gamma) is
        (margin, scale) here, if it gets the weight as reference embeddings, one per class.
    """
    _check_settings(margin, scale)
    labels = check_batch(embeddings, labels, num_classes=len(weight))
    return _circle_classifier_loss(embeddings, labels, weight, margin, scale)


def _circle_classifier_loss(
    embeddings: Tensor, labels: Tensor, weight: Tensor, margin: float, scale: float
) -> Tensor:
    if embeddings.shape[1] != weight.shape[1]:
        raise ValueError(
            f"class directions of {weight.shape[1]} numbers need embeddings (N, {weight.shape[1]}), "
            f"got {tuple(embeddings.shape)}"
        )
    wide = torch.promote_types(torch.promote_types(embeddings.dtype, weight.dtype), torch.float32)
    with torch.autocast(embeddings.device.type, enabled=False):
        cosines = unit_rows(embeddings.to(wide)) @ unit_rows(weight.to(wide)).T  # (N, C)
        fixed = cosines.detach()
        own = (1 + margin - fixed) * (cosines - (1 - margin))  # the first factor needs no clamp: s <= 1
        other = (fixed + margin).clamp_min(0.0) * (cosines - margin)
        is_own = labels[:, None] == torch.arange(len(weight), device=labels.device)
        return F.cross_entropy(scale * torch.where(is_own, own, other), labels)


class CircleClassifierLoss(BatchLoss):
    """circle_classifier_loss as a module with learned class directions, `weight` (C, D).

    The lengths of the directions do not change the loss. They are initialised randomly with about unit
    length. They are parameters: pass them to the optimiser.

    Args:
        num_classes: C.
        num_features: D.
        margin: relaxation, a cosine.
        scale: inverse temperature, positive.
    """

    def __init__(
        self, num_classes: int, num_features: int, *, margin: float = 0.25, scale: float = 128.0
    ) -> None:
        super().__init__()
        if num_classes < 1 or num_features < 1:
            raise ValueError(
                f"Circle loss needs at least one class and one feature, got {num_classes} and {num_features}"
            )
        _check_settings(margin, scale)
        self.weight = nn.Parameter(torch.randn(num_classes, num_features) / math.sqrt(num_features))
        self.margin = margin
        self.scale = scale

    def batch_loss(self, embeddings: Tensor, labels: Tensor, logits: Tensor | None) -> Tensor:
        """Scalar loss of embeddings (N, D) and labels (N,); logits are only checked."""
        labels = check_batch(embeddings, labels, logits=logits, num_classes=len(self.weight))
        return _circle_classifier_loss(embeddings, labels, self.weight, self.margin, self.scale)


def _check_settings(margin: float, scale: float) -> None:
    if not 0 <= margin <= 1:
        raise ValueError(f"the margin must lie in [0, 1], got {margin}")
    if not 0 < scale < math.inf:
        raise ValueError(f"the scale must be a positive number, got {scale}")
