"""Centre loss: pull every embedding towards a learnable centre of its identity."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_gl.losses.batch_loss import BatchLoss
from reid_gl.losses.pairs import check_batch


def center_loss(embeddings: Tensor, labels: Tensor, *, centers: Tensor) -> Tensor:
    """Half the mean squared Euclidean distance between embeddings and the centres of their identities.

    The loss and its gradient are 0 if each embedding equals its centre.

    Args:
        embeddings: (N, D), not normalised: the loss grows with the square of their scale.
        labels: (N,) int64 in [0, C).
        centers: (C, D), learnable; they get gradients, too.

    Returns:
        Scalar, in squared units of the embeddings, mean over rows.

    Raises:
        TypeError, ValueError: see check_batch; or the centres do not have D columns.

    Source:
        Wen et al., "A Discriminative Feature Learning Approach for Deep Face Recognition", ECCV 2016,
        section 3.2, with two differences: the loss is a mean over the batch instead of a sum, and the
        centres follow the gradient of this loss. The paper updates them by a separate rule, which divides by
        the number of images of an identity in the batch.
    """
    return _center_loss(embeddings, check_batch(embeddings, labels, num_classes=len(centers)), centers)


def _center_loss(embeddings: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    if embeddings.shape[1] != centers.shape[1]:
        raise ValueError(
            f"centres of {centers.shape[1]} numbers need embeddings (N, {centers.shape[1]}), "
            f"got {tuple(embeddings.shape)}"
        )
    wide = torch.promote_types(torch.promote_types(embeddings.dtype, centers.dtype), torch.float32)
    differences = embeddings.to(wide) - F.embedding(labels, centers).to(wide)  # (N, D)
    return 0.5 * differences.square().sum(dim=1).mean()


class CenterLoss(BatchLoss):
    """center_loss as a module with learned `centers` (C, D), initialised from a normal distribution.

    The centres are parameters: pass them to the optimiser, often with a separate learning rate.
    """

    def __init__(self, num_classes: int, num_features: int) -> None:
        super().__init__()
        if num_classes < 1 or num_features < 1:
            raise ValueError(
                f"centre loss needs at least one class and one feature, got {num_classes} and {num_features}"
            )
        self.centers = nn.Parameter(torch.randn(num_classes, num_features))

    def batch_loss(self, embeddings: Tensor, labels: Tensor, logits: Tensor | None) -> Tensor:
        """Scalar loss of embeddings (N, D) and labels (N,); logits are only checked."""
        labels = check_batch(embeddings, labels, logits=logits, num_classes=len(self.centers))
        return _center_loss(embeddings, labels, self.centers)
