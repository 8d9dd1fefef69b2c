"""Batch checks, similarities and pair masks that the losses share."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from reid_gl.similarity import cosine_similarity


class NonFiniteEmbeddingsError(ValueError):
    """Embeddings or logits are NaN or infinite, so no meaningful loss can be computed."""


def check_batch(
    embeddings: Tensor, labels: Tensor, *, logits: Tensor | None = None, num_classes: int | None = None
) -> Tensor:
    """Check a batch and return its labels as int64. Every loss calls this first.

    All given tensors are checked, whether or not the loss uses them.

    Args:
        embeddings: (N, D) floating point, N and D at least 1.
        labels: (N,) of any integer type, at least 0, and in [0, C) if C is known.
        logits: (N, C) floating point; None without a classifier.
        num_classes: C, for a loss with learned class vectors; None uses the number of logits.

    Raises:
        TypeError: an argument is not a tensor.
        ValueError: shapes, dtypes or devices do not fit, or a label is out of range.
        NonFiniteEmbeddingsError: embeddings or logits are NaN or infinite; the message names the rows.
    """
    rows = {"embeddings": embeddings} if logits is None else {"embeddings": embeddings, "logits": logits}
    return check_rows(rows, labels, num_classes=num_classes)


def check_rows(rows: Mapping[str, Tensor], labels: Tensor, *, num_classes: int | None = None) -> Tensor:
    """Check any of "embeddings" and "logits" like check_batch, with a single device synchronisation."""
    labels = check_labels(labels)
    for name, tensor in rows.items():
        _check_shape(name, tensor, labels)
    if num_classes is None and "logits" in rows:
        num_classes = rows["logits"].shape[1]
    fits = labels.amin() >= 0
    if num_classes is not None:
        fits = fits & (labels.amax() < num_classes)
    for tensor in rows.values():
        # aminmax propagates NaN, and is several times cheaper than isfinite() of every number
        smallest, largest = tensor.detach().aminmax()
        fits = fits & smallest.isfinite() & largest.isfinite()
    if not fits:
        for name, tensor in rows.items():
            _refuse_broken_rows(name, tensor)
        check_labels_in_range(labels, num_classes)
    return labels


def check_labels(labels: Tensor) -> Tensor:
    """Check labels (N,) of any integer type and convert them to int64.

    Raises:
        TypeError: labels are not a tensor.
        ValueError: the shape or dtype is wrong.
    """
    _check_tensor("labels", labels)
    if labels.ndim != 1:
        raise ValueError(f"expected labels (N,), got {tuple(labels.shape)}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise ValueError(
            f"labels must be int64, got {labels.dtype}: labels.long() if they are whole numbers from 0 on"
        )
    return labels.long()


def _check_tensor(name: str, value: object) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} must be a torch.Tensor, got {type(value).__name__}: torch.as_tensor({name}) makes one"
        )


def _check_shape(name: str, tensor: Tensor, labels: Tensor) -> None:
    """Check that a tensor has one non-empty floating-point row per label, on the labels' device."""
    _check_tensor(name, tensor)
    axes, meaning = ("(N, C)", "class") if name == "logits" else ("(N, D)", "feature")
    if tensor.ndim != 2 or len(tensor) != len(labels):
        raise ValueError(
            f"expected {name} {axes} and labels (N,), got {tuple(tensor.shape)} and {tuple(labels.shape)}"
        )
    if tensor.numel() == 0:
        raise ValueError(f"a batch needs an image and a {meaning}, got {name} {tuple(tensor.shape)}")
    if not tensor.is_floating_point():
        raise ValueError(f"{name} must be floating point, got {tensor.dtype}: {name}.float() makes them so")
    if tensor.device != labels.device:
        raise ValueError(f"{name} are on {tensor.device} and labels on {labels.device}: move one of them")


def _refuse_broken_rows(name: str, tensor: Tensor) -> None:
    broken = (~tensor.detach().isfinite()).any(dim=1)
    rows = broken.nonzero().squeeze(1).tolist()
    if rows:
        more = f" and {len(rows) - 5} more" if len(rows) > 5 else ""
        raise NonFiniteEmbeddingsError(
            f"{name} are NaN or infinite in {len(rows)} of {len(tensor)} rows: "
            f"{', '.join(map(str, rows[:5]))}{more}"
        )


def check_labels_in_range(labels: Tensor, num_classes: int | None) -> None:
    """Check that every label is in [0, C), or at least 0 if C is not known.

    Raises:
        ValueError: a label is out of range.
    """
    smallest, largest = (int(label) for label in labels.aminmax())
    if smallest < 0 and num_classes is None:
        raise ValueError(
            f"labels must be at least 0, got {smallest}: leave images without an identity out of the batch"
        )
    if num_classes is not None and not 0 <= smallest <= largest < num_classes:
        raise ValueError(
            f"labels must lie in [0, {num_classes}) like the columns of logits or the learned vectors, got "
            f"{smallest} to {largest}"
        )


def pair_similarity(embeddings: Tensor, labels: Tensor, *, logits: Tensor | None = None) -> Tensor:
    """Compute the cosine similarities of a batch, in float32 or better, also under autocast.

    Args:
        embeddings: (N, D), any scale; a zero row has similarity 0 to every row.
        labels: (N,) int64, only checked.
        logits: (N, C), only checked.

    Returns:
        (N, N) in [-1, 1].

    Raises:
        TypeError, ValueError: see check_batch.
    """
    check_batch(embeddings, labels, logits=logits)
    with torch.autocast(embeddings.device.type, enabled=False):
        return cosine_similarity(embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)))


def pair_masks(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return masks of positive and negative pairs, two (N, N) bool, from labels (N,).

    The diagonal (an image paired with itself) is in neither mask.
    """
    same = labels[:, None] == labels[None, :]
    itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    return same & ~itself, ~same


def check_slopes(alpha: float, beta: float, base: float) -> None:
    """Check the slopes on positives and negatives, and the cosine that both are measured from.

    Raises:
        ValueError: a slope is not positive, or the cosine is outside [-1, 1].
    """
    for name, value in {"alpha": alpha, "beta": beta}.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be a positive number, got {value}")
    if not -1 <= base <= 1:
        raise ValueError(f"the base is a cosine in [-1, 1], got {base}")


def distance_from_cosine(similarity: Tensor) -> Tensor:
    """Convert cosines S of unit vectors to Euclidean distances sqrt(2 - 2S), any shape.

    If vectors coincide up to rounding, the distance and its gradient are 0 (the square root's gradient would
    be infinite).
    """
    squared = 2.0 - 2.0 * similarity
    apart = squared > torch.finfo(similarity.dtype).eps
    return torch.where(apart, torch.where(apart, squared, 1.0).sqrt(), 0.0)
