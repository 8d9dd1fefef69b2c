"""The call that losses share, for those that choose no anchors and draw no random numbers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reid_gl.losses.pairs import pair_similarity


class BatchLoss(nn.Module):
    """A loss of embeddings, labels and logits; a subclass defines `batch_loss`."""

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        logits: Tensor | None = None,
        anchors: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return the scalar loss of a batch.

        Args:
            embeddings: (N, D) floating point.
            labels: (N,) of any integer type.
            logits: (N, C); only checked, except by losses of the classifier.
            anchors: not used.
            generator: not used.

        Raises:
            TypeError, ValueError: see check_batch.
        """
        return self.batch_loss(embeddings, labels, logits)

    def batch_loss(self, embeddings: Tensor, labels: Tensor, logits: Tensor | None) -> Tensor:
        """Return the scalar loss of a batch; arguments and errors as forward."""
        raise NotImplementedError


class PairLoss(BatchLoss):
    """A loss of the cosine similarities of pairs; a subclass defines `from_similarity`."""

    def batch_loss(self, embeddings: Tensor, labels: Tensor, logits: Tensor | None) -> Tensor:
        """Return the scalar loss of embeddings (N, D) and labels (N,); logits are only checked."""
        return self.from_similarity(pair_similarity(embeddings, labels, logits=logits), labels)

    def from_similarity(self, similarity: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of cosine similarities (N, N), row = anchor, and labels (N,)."""
        raise NotImplementedError
