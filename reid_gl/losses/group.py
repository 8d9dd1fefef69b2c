"""Group Loss: the classes of a batch are refined by the similarities inside it, then scored.

Beliefs are kept as logarithms, so no update divides by a support that may be zero: a row that nobody
supports adds the same constant to all its classes and keeps its belief.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_gl.similarity import pearson_similarity


def group_loss(
    embeddings: Tensor,
    labels: Tensor,
    *,
    logits: Tensor,
    anchors: Tensor,
    num_steps: int = 2,
    temperature: float = 10.0,
    self_similarity: bool = True,
) -> Tensor:
    """Cross-entropy of class beliefs after similar samples have voted; anchors vote with the truth.

    Defined for every batch: identical or constant embeddings, one class, one picture per class and rows
    without support give finite values and gradients.

    Args:
        embeddings: (N, D) pooled features before the neck, any scale.
        labels: (N,) int64 in [0, C).
        logits: (N, C) scores over all training identities.
        anchors: (N,) bool, rows whose belief is fixed to their label.
        num_steps: replicator updates, at least 1.
        temperature: divides the logits before they become beliefs.
        self_similarity: whether a row also supports its own belief, as in the authors' code; the paper
            sets the diagonal of the similarities to zero.

    Returns:
        Scalar, nats per row that is not an anchor; 0 with a live graph if every row is one. The authors'
        code divides by all rows instead, which only scales the loss.

    Raises:
        ValueError: shapes disagree, no step, or a temperature that is not positive.

    Source:
        Elezi et al., "The Group Loss for Deep Metric Learning", ECCV 2020, section 3.
    """
    _check(embeddings, labels, logits, anchors, num_steps, temperature)
    wide = torch.promote_types(embeddings.dtype, torch.float32)
    with torch.autocast(embeddings.device.type, enabled=False):
        similarities = pearson_similarity(embeddings.to(wide)).clamp_min(0.0)  # (N, N)
        if not self_similarity:
            similarities = similarities * (1.0 - torch.eye(len(labels), device=labels.device, dtype=wide))
        log_beliefs = F.log_softmax(logits.to(wide) / temperature, dim=1)  # (N, C)
        truth = F.one_hot(labels, logits.shape[1]).to(wide)  # (N, C)
        log_beliefs = replicator_dynamics(similarities, log_beliefs, truth, anchors, num_steps)
        free = (~anchors).to(wide)
        losses = F.nll_loss(log_beliefs, labels, reduction="none")  # (N,)
        return (losses * free).sum() / free.sum().clamp_min(1.0)


def replicator_dynamics(
    similarities: Tensor, log_beliefs: Tensor, truth: Tensor, anchors: Tensor, num_steps: int
) -> Tensor:
    """Move every row's belief towards the classes that similar rows believe in.

    Each step multiplies the beliefs by their support, the similarity-weighted sum of all rows' beliefs,
    and normalises the rows. One-hot rows are fixed points, so anchors never move.

    Args:
        similarities: (N, N), not negative.
        log_beliefs: (N, C) logarithms of rows that sum to 1.
        truth: (N, C) one-hot rows, used where anchors is true.
        anchors: (N,) bool.
        num_steps: number of updates.

    Returns:
        (N, C) logarithms of the refined beliefs; rows of anchors are not meant to be read.
    """
    smallest = torch.finfo(log_beliefs.dtype).tiny
    for _ in range(num_steps):
        beliefs = torch.where(anchors[:, None], truth, log_beliefs.exp())
        support = similarities @ beliefs  # (N, C)
        log_beliefs = F.log_softmax(log_beliefs + support.clamp_min(smallest).log(), dim=1)
    return log_beliefs


def choose_anchors(
    labels: Tensor,
    anchors_per_class: int,
    *,
    choice: str = "random",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Pick the rows whose class is given away to the others.

    Args:
        labels: (N,) int64.
        anchors_per_class: rows of each class to pick; classes with fewer rows give all of them.
        choice: "random", or "first" in batch order as the authors do.
        generator: CPU random state for "random"; None takes torch's own.

    Returns:
        (N,) bool on the device of labels.

    Raises:
        ValueError: a negative number, or an unknown choice.
    """
    if anchors_per_class < 0:
        raise ValueError(f"anchors per class must not be negative, got {anchors_per_class}")
    if choice not in ("random", "first"):
        raise ValueError(f"unknown anchor choice {choice!r}: expected random or first")
    num_rows = len(labels)
    order = torch.arange(num_rows)
    if choice == "random":
        order = torch.randperm(num_rows, generator=generator)
    order = order.to(labels.device)
    shuffled = labels[order]
    earlier_of_same_class = (shuffled[:, None] == shuffled[None, :]).tril(diagonal=-1).sum(dim=1)
    anchors = torch.zeros(num_rows, dtype=torch.bool, device=labels.device)
    anchors[order] = earlier_of_same_class < anchors_per_class
    return anchors


class GroupLoss(nn.Module):
    """group_loss with its settings; picks the anchors unless they are given."""

    def __init__(
        self,
        *,
        num_steps: int = 2,
        temperature: float = 10.0,
        anchors_per_class: int = 2,
        anchor_choice: str = "random",
        self_similarity: bool = True,
    ) -> None:
        super().__init__()
        if anchors_per_class < 0:
            raise ValueError(f"anchors per class must not be negative, got {anchors_per_class}")
        self.num_steps = num_steps
        self.temperature = temperature
        self.anchors_per_class = anchors_per_class
        self.anchor_choice = anchor_choice
        self.self_similarity = self_similarity

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
        return group_loss(
            embeddings,
            labels,
            logits=logits,
            anchors=anchors,
            num_steps=self.num_steps,
            temperature=self.temperature,
            self_similarity=self.self_similarity,
        )


def _check(
    embeddings: Tensor, labels: Tensor, logits: Tensor, anchors: Tensor, num_steps: int, temperature: float
) -> None:
    num_rows = len(labels)
    expected = {"embeddings": (embeddings, 2), "logits": (logits, 2), "anchors": (anchors, 1)}
    for name, (tensor, axes) in expected.items():
        if tensor.ndim != axes or len(tensor) != num_rows:
            raise ValueError(
                f"{name} must have {axes} axes and {num_rows} rows like labels, got {tuple(tensor.shape)}"
            )
    if anchors.dtype != torch.bool:
        raise ValueError(f"anchors must be bool, got {anchors.dtype}")
    if num_steps < 1:
        raise ValueError(f"Group Loss needs at least one step, got {num_steps}")
    if temperature <= 0:
        raise ValueError(f"the temperature must be positive, got {temperature}")
