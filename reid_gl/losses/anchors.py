"""Choose the anchors of a batch: images that vote with their labels in Group Loss."""

from __future__ import annotations

import torch
from torch import Tensor

from reid_gl.losses.pairs import check_labels

ANCHOR_CHOICES = ("random", "first")


def choose_anchors(
    labels: Tensor,
    anchors_per_class: int,
    *,
    choice: str = "random",
    generator: torch.Generator | None = None,
) -> Tensor:
    """Choose the anchor rows of a batch.

    Args:
        labels: (N,) int64.
        anchors_per_class: rows of each class to choose; all rows of a class that has fewer.
        choice: "random", or "first" in batch order, as in the authors' code.
        generator: CPU random state for "random"; None uses torch's global one.

    Returns:
        (N,) bool on the device of labels.

    Raises:
        TypeError, ValueError: labels are invalid, anchors_per_class is negative, or the choice is unknown.
    """
    if anchors_per_class < 0:
        raise ValueError(f"anchors per class must not be negative, got {anchors_per_class}")
    if choice not in ANCHOR_CHOICES:
        raise ValueError(f"unknown anchor choice {choice!r}: expected one of {', '.join(ANCHOR_CHOICES)}")
    labels = check_labels(labels)
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
