"""Adapt losses of pytorch-metric-learning to the interface of this package's losses.

The library itself is not imported here; its losses are recognised by duck typing.
"""

from __future__ import annotations

import copy
from types import MethodType
from typing import Any

import torch
from torch import Tensor, nn

from reid_gl.losses.batch_loss import BatchLoss
from reid_gl.losses.pairs import check_batch, check_labels, distance_from_cosine
from reid_gl.similarity import unit_rows

READS_WIDTH = ("DistanceWeightedMiner",)
"""Parts of the library that need D in addition to distances; a similarity matrix does not contain D."""


class PeerLoss(BatchLoss):
    """A loss of pytorch-metric-learning with an optional miner.

    Computes in float32 or better; a loss with parameters computes in their dtype. The value is that of the
    library. If it does not depend on the embeddings (no pair or triplet counts), it still has a live graph,
    with gradient 0.

    Attributes:
        loss: called (embeddings, labels, indices).
        miner: called (embeddings, labels); None uses all pairs.
        only_directions: whether the loss ignores the length of embeddings. If so, rows are normalised first,
            which avoids overflow and underflow of very large or small rows. A zero row has no direction: it
            has similarity 0 to every row and gets no gradient.
    """

    def __init__(
        self, loss: nn.Module, *, miner: nn.Module | None = None, only_directions: bool = False
    ) -> None:
        super().__init__()
        self.loss = loss
        self.miner = miner
        self.only_directions = only_directions

    def batch_loss(self, embeddings: Tensor, labels: Tensor, logits: Tensor | None) -> Tensor:
        """Scalar loss of embeddings (N, D) and labels (N,); logits are only checked."""
        num_classes = getattr(self.loss, "num_classes", None)
        labels = check_batch(embeddings, labels, logits=logits, num_classes=num_classes)
        learned = next(self.loss.parameters(), None)
        if learned is not None and learned.ndim == 2 and embeddings.shape[1] not in learned.shape:
            raise ValueError(
                f"the loss has learned vectors {tuple(learned.shape)}, which do not fit embeddings "
                f"{tuple(embeddings.shape)}"
            )
        # otherwise the library would replace its parameters by copies in the embeddings' dtype, which the
        # optimiser does not know
        dtype = learned.dtype if learned is not None else torch.promote_types(embeddings.dtype, torch.float32)
        with torch.autocast(embeddings.device.type, enabled=False):
            rows = embeddings.to(dtype)
            rows = unit_rows(rows) if self.only_directions else rows
            indices = None if self.miner is None else self.miner(rows, labels)
            return _live(self.loss(rows, labels, indices), rows)

    def from_similarity(self, similarity: Tensor, labels: Tensor) -> Tensor:
        """Return the scalar loss of cosines (N, N), row = anchor; see value_of_similarity."""
        return value_of_similarity(self.loss, similarity, labels, self.miner)


def value_of_similarity(
    loss: nn.Module, similarity: Tensor, labels: Tensor, miner: nn.Module | None = None
) -> Tensor:
    """Evaluate a pair loss of pytorch-metric-learning on a given similarity matrix S.

    Loss and miner are not modified. Embeddings count as unit vectors, whatever the normalisation settings of
    the distance: a cosine or dot product is S itself, a Euclidean distance is sqrt(2 - 2S).

    Args:
        loss: must read only the distances of pairs within the batch.
        similarity: (N, N) cosines, row = anchor; floating point, treated as independent inputs.
        labels: (N,) int64.
        miner: chooses the pairs; None leaves the choice to the loss.

    Returns:
        Scalar in float32 or better, with a live graph.

    Raises:
        ValueError: shapes disagree, or the loss does not return a single number.
        TypeError: loss or miner learns class vectors or reads the embeddings themselves, or its distance is
            neither a cosine nor Euclidean.
    """
    labels = check_labels(labels)
    if similarity.shape != (len(labels), len(labels)):
        raise ValueError(
            f"expected similarities (N, N) and labels (N,), got {tuple(similarity.shape)} and "
            f"{tuple(labels.shape)}"
        )
    wide = similarity.to(torch.promote_types(similarity.dtype, torch.float32))
    # pass row indices in place of embeddings; the replaced distance looks them up in the matrix
    rows = torch.arange(len(labels), device=wide.device, dtype=wide.dtype)[:, None]  # (N, 1)
    indices = None
    with torch.autocast(wide.device.type, enabled=False):
        if miner is not None:
            indices = _call(_reading(miner, wide.detach()), miner, rows, labels)
        return _live(_call(_reading(loss, wide), loss, rows, labels, indices), wide)


def _call(reader: Any, original: nn.Module, *arguments: Any) -> Any:  # noqa: ANN401
    """Call the copy that reads the matrix; raise if it returned a non-zero value without reading it."""
    value = reader(*arguments)
    if not reader.distance.was_read and not _is_zero(value):
        raise _not_on_pairs(original, "it reads the embeddings themselves")
    return value


def _is_zero(value: object) -> bool:
    """Whether there was nothing to compare: a zero loss, or empty index tensors from a miner."""
    if isinstance(value, tuple):
        return not any(len(indices) for indices in value)
    return isinstance(value, int | float | Tensor) and not bool(torch.as_tensor(value).any())


def _reading(original: nn.Module, similarity: Tensor) -> nn.Module:
    """Copy a loss or miner, with a distance that looks up the matrix; parameters stay shared.

    Raises:
        TypeError: the module needs more than the distances of pairs.
    """
    distance = getattr(original, "distance", None)
    if not isinstance(distance, nn.Module):
        raise _not_on_pairs(original, "it has no distance")
    if any(parameter.ndim > 1 for parameter in original.parameters()):
        raise _not_on_pairs(original, "it learns class vectors")
    if type(original).__name__ in READS_WIDTH:
        raise _not_on_pairs(original, "it reads the number of features")
    if getattr(original, "embedding_regularizer", None) is not None:
        raise _not_on_pairs(original, "its regulariser reads the embeddings themselves")
    reader = _shallow_copy(original)
    reader.distance = _look_up(distance, original, similarity)
    return reader


def _shallow_copy(module: nn.Module) -> nn.Module:
    """Copy a module's attributes and registries; share its parameters.

    Bound methods that the module stores as attributes are rebound to the copy.
    """
    twin = copy.copy(module)
    twin._modules, twin._parameters = dict(module._modules), dict(module._parameters)
    twin._buffers = dict(module._buffers)
    for name, value in vars(module).items():
        if isinstance(value, MethodType) and value.__self__ is module:
            setattr(twin, name, MethodType(value.__func__, twin))
    return twin


def _look_up(distance: nn.Module, owner: nn.Module, similarity: Tensor) -> nn.Module:
    """Copy a distance so that it looks up the matrix; its arguments are row indices (A, 1)."""
    matrix = similarity if _is_cosine(distance, owner, similarity) else distance_from_cosine(similarity)
    twin: Any = _shallow_copy(distance)
    twin.normalize_embeddings = False
    twin.was_read = False

    def compute_mat(query: Tensor, reference: Tensor) -> Tensor:
        if query.ndim != 2 or query.shape[1] != 1:
            raise _not_on_pairs(owner, "it reads the embeddings themselves")
        twin.was_read = True
        # indexing returns a new tensor, which is needed because some losses write into it
        return matrix[query[:, 0].long()][:, reference[:, 0].long()]

    twin.compute_mat = compute_mat
    return twin  # type: ignore[no-any-return]


def _is_cosine(distance: nn.Module, owner: nn.Module, similarity: Tensor) -> bool:
    """Whether a distance is a cosine (True) or Euclidean (False).

    Evaluates it on three unit vectors, which have the cosines 0.6, -0.8 and 0, and compares the result.

    Raises:
        TypeError: it is neither.
    """
    vectors = similarity.new_tensor([[1.0, 0.0], [0.6, 0.8], [-0.8, 0.6]])
    with torch.no_grad():
        found = _shallow_copy(distance)(vectors)
    cosines = vectors @ vectors.T
    power = getattr(distance, "power", 1)
    for matrix, is_inverted in ((cosines, True), ((2.0 - 2.0 * cosines).clamp_min(0.0).sqrt(), False)):
        same_kind = getattr(distance, "is_inverted", False) is is_inverted
        if same_kind and torch.allclose(found, matrix**power, atol=1e-3):
            return is_inverted
    raise _not_on_pairs(owner, f"{type(distance).__name__} is neither a cosine nor a Euclidean distance")


def _live(value: Any, source: Tensor) -> Tensor:  # noqa: ANN401
    """Convert the value to a scalar that depends on the source, with gradient 0 if it did not before."""
    number = value if isinstance(value, int | float | Tensor) else None
    if number is None or (isinstance(number, Tensor) and number.numel() != 1):
        raise ValueError("the loss gives no single number: choose a reducer that does")
    scalar = torch.as_tensor(number, dtype=source.dtype, device=source.device).reshape(())
    return scalar + (0.0 * source).sum()


def _not_on_pairs(module: nn.Module, reason: str) -> TypeError:
    name = type(module).__name__
    return TypeError(f"{name} does not compare the images of a batch in pairs by their similarity: {reason}")
