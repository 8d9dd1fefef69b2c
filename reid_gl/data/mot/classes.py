"""Select the boxes of MOT Challenge ground truth to consider."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reid_gl.data.mot.read import MotBoxes

logger = logging.getLogger(__name__)


def select_classes(truth: MotBoxes, classes: Sequence[int], path: Path) -> MotBoxes:
    """Select ground truth of some classes; if there is none, warn why.

    Args:
        truth: all ground truth.
        classes: class numbers, as in the file.
        path: the file, for the warning.

    Returns:
        Boxes with a flag above 0 and one of the classes.
    """
    considered = truth.select(truth.confidences > 0)
    chosen = considered.select(np.isin(considered.classes, np.asarray(classes)))
    if len(truth) and not len(chosen):
        kinds, counts = np.unique(considered.classes, return_counts=True)
        there = [f"{kind} ({count:,} boxes)" for kind, count in zip(kinds, counts, strict=True)]
        logger.warning(
            "%s has no box of class %s to consider; its classes: %s, and %s boxes have a flag of 0 or less. "
            "Choose others with --classes",
            *(path, ", ".join(map(str, classes)), ", ".join(there) or "none"),
            f"{len(truth) - len(considered):,}",
        )
    if not len(truth):
        logger.warning("%s has no line, and so no box", path)
    return chosen
