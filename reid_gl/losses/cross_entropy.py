"""Cross-entropy over the training identities with label smoothing."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from reid_gl.losses.batch_loss import BatchLoss
from reid_gl.losses.pairs import check_batch, check_rows


def cross_entropy_loss(logits: Tensor, labels: Tensor, *, label_smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy in float32 or better.

    Args:
        logits: (N, C).
        labels: (N,) int64 in [0, C).
        label_smoothing: share of the target spread evenly over all C classes, in [0, 1).

    Returns:
        Scalar, nats per row.

    Raises:
        TypeError, ValueError: see check_batch.

    Source:
        Szegedy et al., "Rethinking the Inception Architecture for Computer Vision", CVPR 2016, section 7.
    """
    return _cross_entropy(logits, check_rows({"logits": logits}, labels), label_smoothing)


def _cross_entropy(logits: Tensor, labels: Tensor, label_smoothing: float) -> Tensor:
    wide = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return F.cross_entropy(wide, labels, label_smoothing=label_smoothing)


class CrossEntropyLoss(BatchLoss):
    """cross_entropy_loss as a module.

    Args:
        label_smoothing: share of the target spread over all identities, in [0, 1).
    """

    def __init__(self, *, label_smoothing: float = 0.1) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label smoothing must lie in [0, 1), got {label_smoothing}")
        self.label_smoothing = label_smoothing

    def batch_loss(self, embeddings: Tensor, labels: Tensor, logits: Tensor | None) -> Tensor:
        """Scalar loss of logits (N, C) and labels (N,); embeddings are only checked."""
        if logits is None:
            raise ValueError("cross-entropy needs logits (N, C): the network must have a classifier")
        labels = check_batch(embeddings, labels, logits=logits)
        return _cross_entropy(logits, labels, self.label_smoothing)
