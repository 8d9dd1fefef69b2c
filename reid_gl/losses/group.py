"""Group Loss: the classes of a batch are refined by the similarities inside it, then scored."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_gl.losses.anchors import ANCHOR_CHOICES, choose_anchors
from reid_gl.losses.pairs import check_batch
from reid_gl.losses.refinement import refined_cross_entropy
from reid_gl.similarity import cosine_similarity, pearson_similarity

logger = logging.getLogger(__name__)

SIMILARITIES = {"pearson": pearson_similarity, "cosine": cosine_similarity}
NEGATIVES = ("clip", "shift")
CLASS_SUBSETS = ("all", "batch")


def group_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    logits: Tensor,
    anchors: Tensor,
    num_steps: int = 2,
    temperature: float = 10.0,
    similarity: str = "pearson",
    negatives: str = "clip",
    self_similarity: bool = True,
    class_subset: str = "all",
) -> Tensor:
    """Cross-entropy of class beliefs after similar samples have voted; anchors vote with the truth.

    Computed in float32 or better, also under autocast, in memory that does not grow with num_steps (see
    `refinement`). First derivatives only.

    Defined for every batch: identical or constant embeddings, one class and one picture per class give
    finite values and gradients. A row that nobody supports keeps its belief. A row that hears only anchors
    of other classes has a large finite loss, where the formula says infinity: 1e-20 is added to supports.

    Args:
        embeddings: (N, D) pooled features before the neck, any scale.
        labels: (N,) int64 in [0, C).
        logits: (N, C) scores over all training identities.
        anchors: (N,) bool, rows whose belief is fixed to their label.
        num_steps: replicator updates, at least 1.
        temperature: divides the logits before they become beliefs.
        similarity: "pearson", each row centred over its own D numbers, or "cosine".
        negatives: what becomes of negative similarities: "clip" sets them to zero; "shift" subtracts the
            smallest similarity of the batch, if it is negative, from all of them.
        self_similarity: whether a row also supports its own belief, as in the authors' code; the paper
            sets the diagonal of the similarities to zero.
        class_subset: "all" training identities compete, or only those in the "batch".

    Returns:
        Scalar, nats per row that is not an anchor; 0 with a live graph if every row is one. The authors'
        code divides by all rows instead, which only scales the loss.

    Raises:
        ValueError: shapes disagree, a label outside [0, C), no step, a temperature that is not positive, or
            an unknown choice.

    Source:
        Elezi et al., "The Group Loss for Deep Metric Learning", ECCV 2020, section 3.

    Example:
        Two images of person 0, the first of them an anchor, and one of person 1. Their correlations are 1/2
        (images 0, 1), -1 (0, 2) and -1/2 (1, 2); the classifier knows nothing: beliefs start at (1/2, 1/2).
        Image 1 is supported by 1/2 (1, 0) + (1/2, 1/2) = (1, 1/2): its belief becomes (2/3, 1/3). Image 2 is
        supported by itself only and stays. The loss is (log 3/2 + log 2) / 2 = log(3) / 2.

        >>> embeddings = torch.tensor([[1.0, -1.0, 0.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
        >>> labels, logits = torch.tensor([0, 0, 1]), torch.zeros(3, 2)
        >>> anchors = torch.tensor([True, False, False])
        >>> loss = group_loss(embeddings, labels, logits=logits, anchors=anchors, num_steps=1)
        >>> round(float(loss.exp() ** 2), 4)
        3.0
    """
    losses = _losses_of_free_rows(
        embeddings,
        labels,
        logits=logits,
        anchors=anchors,
        num_steps=num_steps,
        temperature=temperature,
        similarity=similarity,
        negatives=negatives,
        self_similarity=self_similarity,
        class_subset=class_subset,
    )
    return losses.sum() / max(1, len(losses))


def _losses_of_free_rows(
    embeddings: Tensor,
    labels: Tensor,
    *,
    logits: Tensor,
    anchors: Tensor,
    num_steps: int,
    temperature: float,
    similarity: str,
    negatives: str,
    self_similarity: bool,
    class_subset: str,
) -> Tensor:
    """(M,) nats of the rows that are no anchors; arguments as of group_loss."""
    _check_shapes(embeddings, labels, logits, anchors)
    _check_settings(num_steps, temperature, similarity, negatives, class_subset)
    if class_subset == "batch":
        classes, labels = labels.unique(return_inverse=True)
        logits = logits.index_select(1, classes)
    wide = torch.promote_types(embeddings.dtype, torch.float32)
    with torch.autocast(embeddings.device.type, enabled=False):
        weights = SIMILARITIES[similarity](embeddings.to(wide))  # (N, N)
        if negatives == "shift":
            weights = weights - weights.amin().clamp_max(0.0)
        weights = F.relu(weights)  # unlike clamp_min, no gradient where it is exactly 0
        if not self_similarity:
            weights = weights * (1.0 - torch.eye(len(labels), device=labels.device, dtype=wide))
        return refined_cross_entropy(
            weights, logits, labels, anchors, num_steps=num_steps, temperature=temperature
        )


class GroupLoss(nn.Module):
    """group_loss with its settings; picks the anchors unless they are given.

    Args:
        num_steps: replicator updates.
        temperature: divides the logits.
        anchors_per_class: rows of each class whose belief is fixed; 0 is allowed.
        anchor_choice: "random", or "first" in batch order as the authors do.
        similarity: "pearson" or "cosine".
        negatives: "clip" or "shift".
        self_similarity: whether a row supports its own belief.
        class_subset: "all" or "batch".
    """

    def __init__(
        self,
        *,
        num_steps: int = 2,
        temperature: float = 10.0,
        anchors_per_class: int = 2,
        anchor_choice: str = "random",
        similarity: str = "pearson",
        negatives: str = "clip",
        self_similarity: bool = True,
        class_subset: str = "all",
    ) -> None:
        super().__init__()
        _check_settings(num_steps, temperature, similarity, negatives, class_subset)
        if anchors_per_class < 0:
            raise ValueError(f"anchors per class must not be negative, got {anchors_per_class}")
        _check_choice("anchor choice", anchor_choice, ANCHOR_CHOICES)
        self.num_steps = num_steps
        self.temperature = temperature
        self.anchors_per_class = anchors_per_class
        self.anchor_choice = anchor_choice
        self.similarity = similarity
        self.negatives = negatives
        self.self_similarity = self_similarity
        self.class_subset = class_subset
        self._has_warned = False

    def forward(
        self,
        embeddings: Tensor,
        labels: Tensor,
        *,
        logits: Tensor | None = None,
        anchors: Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Scalar loss of embeddings (N, D), labels (N,) and logits (N, C)."""
        if logits is None:
            raise ValueError("Group Loss needs logits (N, C): the network must have a classifier")
        if anchors is None:
            anchors = choose_anchors(
                labels, self.anchors_per_class, choice=self.anchor_choice, generator=generator
            )
        losses = _losses_of_free_rows(
            embeddings,
            labels,
            logits=logits,
            anchors=anchors,
            num_steps=self.num_steps,
            temperature=self.temperature,
            similarity=self.similarity,
            negatives=self.negatives,
            self_similarity=self.self_similarity,
            class_subset=self.class_subset,
        )
        if not self._has_warned and len(losses) == 0:
            self._has_warned = True
            logger.warning(
                "every picture of the batch is an anchor, so Group Loss is 0: anchors_per_class (%d) must be "
                "smaller than the number of pictures of a class in the batch",
                self.anchors_per_class,
            )
        return losses.sum() / max(1, len(losses))


def _check_shapes(embeddings: Tensor, labels: Tensor, logits: Tensor, anchors: Tensor) -> None:
    check_batch(embeddings, labels)
    num_rows = len(labels)
    for name, tensor, axes in (("logits", logits, 2), ("anchors", anchors, 1)):
        if tensor.ndim != axes or len(tensor) != num_rows:
            raise ValueError(
                f"{name} must have {axes} axes and {num_rows} rows like labels, got {tuple(tensor.shape)}"
            )
    if anchors.dtype != torch.bool:
        raise ValueError(f"anchors must be bool, got {anchors.dtype}")


def _check_settings(
    num_steps: int, temperature: float, similarity: str, negatives: str, class_subset: str
) -> None:
    if num_steps < 1:
        raise ValueError(f"Group Loss needs at least one step, got {num_steps}")
    if not 0 < temperature < math.inf:
        raise ValueError(f"the temperature must be a positive number, got {temperature}")
    _check_choice("similarity", similarity, SIMILARITIES)
    _check_choice("treatment of negatives", negatives, NEGATIVES)
    _check_choice("class subset", class_subset, CLASS_SUBSETS)


def _check_choice(what: str, choice: str, choices: Collection[str]) -> None:
    if choice not in choices:
        raise ValueError(f"unknown {what} {choice!r}: expected one of {', '.join(choices)}")
