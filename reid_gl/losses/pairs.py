"""What every loss on a batch starts from: its shape, its similarities, its pairs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from reid_gl.similarity import cosine_similarity


class NonFiniteEmbeddingsError(ValueError):
    """Embeddings or logits are NaN or infinite: no loss of them means anything."""


def check_batch(
    embeddings: Tensor, labels: Tensor, *, logits: Tensor | None = None, num_classes: int | None = None
) -> Tensor:
    """The labels as int64, if a loss can be computed of these; every loss starts here.

    What is given is checked, whether or not the loss reads it.

    Args:
        embeddings: (N, D) floating point, at least one image and one feature.
        labels: (N,) of any integer type, at least 0, and in [0, C) where C is known.
        logits: (N, C) floating point; None without a classifier.
        num_classes: C, where the loss has vectors of its own; None takes that of the logits.

    Raises:
        TypeError: no tensors.
        ValueError: shapes, number formats or devices do not fit, or a label is out of range.
        NonFiniteEmbeddingsError: some embedding or logit is NaN or infinite; names the rows.
    """
    rows = {"embeddings": embeddings} if logits is None else {"embeddings": embeddings, "logits": logits}
    return check_rows(rows, labels, num_classes=num_classes)


def check_rows(rows: Mapping[str, Tensor], labels: Tensor, *, num_classes: int | None = None) -> Tensor:
    """check_batch of any of "embeddings" and "logits"; one answer is fetched from the device."""
    labels = check_labels(labels)
    for name, tensor in rows.items():
        _check_shape(name, tensor, labels)
    if num_classes is None and "logits" in rows:
        num_classes = rows["logits"].shape[1]
    fits = labels.amin() >= 0
    if num_classes is not None:
        fits = fits & (labels.amax() < num_classes)
    for tensor in rows.values():
        # NaN passes through both; several times cheaper than isfinite() of every number
        smallest, largest = tensor.detach().aminmax()
        fits = fits & smallest.isfinite() & largest.isfinite()
    if not fits:
        for name, tensor in rows.items():
            _refuse_broken_rows(name, tensor)
        check_labels_in_range(labels, num_classes)
    return labels


def check_labels(labels: Tensor) -> Tensor:
    """Labels (N,) of any integer type as int64.

    Raises:
        TypeError: no tensor.
        ValueError: another shape or number format.
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
    """Whether this is one row of numbers for each label."""
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
    """Whether every label is a column of logits (N, C), or at least 0 where C is not known.

    Raises:
        ValueError: some label is outside [0, C).
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
    """Cosine similarities of a batch, in float32 or better also under autocast.

    Args:
        embeddings: (N, D), any scale; a zero row is at similarity 0 to everything.
        labels: (N,) int64.
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
