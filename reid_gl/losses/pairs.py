"""What every loss on a batch starts from: its shape, its similarities, its pairs."""

from __future__ import annotations

import torch
from torch import Tensor

from reid_gl.similarity import cosine_similarity


class NonFiniteEmbeddingsError(ValueError):
    """Embeddings are NaN or infinite: no loss of them means anything."""


def check_batch(embeddings: Tensor, labels: Tensor) -> None:
    """Whether these are embeddings (N, D) and labels (N,) int64 of at least one picture and one feature.

    Raises:
        ValueError: they are not.
        NonFiniteEmbeddingsError: some embedding is NaN or infinite; names the rows.
    """
    if embeddings.ndim != 2 or labels.ndim != 1 or len(embeddings) != len(labels):
        raise ValueError(
            f"expected embeddings (N, D) and labels (N,), got {tuple(embeddings.shape)} and "
            f"{tuple(labels.shape)}"
        )
    if embeddings.numel() == 0:
        raise ValueError(f"a batch needs a picture and a feature, got embeddings {tuple(embeddings.shape)}")
    if labels.dtype != torch.int64:
        raise ValueError(f"labels must be int64, got {labels.dtype}")
    finite = embeddings.detach().isfinite().all(dim=1)
    if not finite.all():
        rows = (~finite).nonzero().squeeze(1).tolist()
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        raise NonFiniteEmbeddingsError(
            f"embeddings are NaN or infinite in {len(rows)} of {len(labels)} rows: "
            f"{', '.join(map(str, rows[:5]))}{more}"
        )


def check_labels_in_range(labels: Tensor, num_classes: int) -> None:
    """Whether every label is a column of logits (N, C).

    Raises:
        ValueError: some label is outside [0, C).
    """
    smallest, largest = (int(label) for label in labels.aminmax())
    if not 0 <= smallest <= largest < num_classes:
        raise ValueError(
            f"labels must lie in [0, {num_classes}) like the columns of logits, got {smallest} to {largest}"
        )


def pair_similarity(embeddings: Tensor, labels: Tensor) -> Tensor:
    """Cosine similarities of a batch, in float32 or better also under autocast.

    Args:
        embeddings: (N, D), any scale; a zero row is at similarity 0 to everything.
        labels: (N,) int64.

    Returns:
        (N, N) in [-1, 1].

    Raises:
        ValueError: see check_batch.
    """
    check_batch(embeddings, labels)
    with torch.autocast(embeddings.device.type, enabled=False):
        return cosine_similarity(embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)))


def pair_masks(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Which pairs are of one identity, and which are not; labels (N,) to two (N, N) bool.

    A picture is no pair with itself: the diagonal is in neither mask.
    """
    same = labels[:, None] == labels[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return same & ~itself, ~same


def distance_from_cosine(similarity: Tensor) -> Tensor:
    """Euclidean distance of unit vectors from their cosine, sqrt(2 - 2S), of any shape.

    Where vectors coincide, up to rounding, the distance is 0 and so is its gradient.
    """
    squared = 2.0 - 2.0 * similarity
    apart = squared > torch.finfo(similarity.dtype).eps
    return torch.where(apart, torch.where(apart, squared, 1.0).sqrt(), 0.0)
