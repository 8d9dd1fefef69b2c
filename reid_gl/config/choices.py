"""Words that keys accept, checked before anything is built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from reid_gl.data.loading.transforms import ANTIALIASED, KERNELS
from reid_gl.device import PRECISIONS
from reid_gl.losses.anchors import ANCHOR_CHOICES
from reid_gl.losses.group_settings import CLASS_SUBSETS
from reid_gl.losses.leave_one_out import POSITIVES
from reid_gl.losses.vote_weights import NEGATIVES, SIMILARITIES
from reid_gl.models.neck import NECKS
from reid_gl.models.pooling import POOLINGS
from reid_gl.records import FEATURES
from reid_gl.training.optimizer import OPTIMIZERS
from reid_gl.training.schedule import SCHEDULES

CHOICES = {
    "INPUT.KERNEL": (*KERNELS, *ANTIALIASED),
    "MODEL.POOLING": POOLINGS,
    "MODEL.NECK": NECKS,
    "LOSS.GROUP.ANCHOR_CHOICE": ANCHOR_CHOICES,
    "LOSS.GROUP.SIMILARITY": tuple(SIMILARITIES),
    "LOSS.GROUP.NEGATIVES": NEGATIVES,
    "LOSS.GROUP.CLASS_SUBSET": CLASS_SUBSETS,
    "LOSS.GROUP.POSITIVES": POSITIVES,
    "SOLVER.OPTIMIZER": tuple(OPTIMIZERS),
    "SOLVER.SCHEDULE": SCHEDULES,
    "SOLVER.PRECISION": PRECISIONS,
}
"""Words by key. Those of TEST are checked with its presets, the FEATURE of every loss by its name."""
FEATURE_OF_A_LOSS = re.compile(r"LOSS\.\w+\.FEATURE")


def check_choices(values: Mapping[str, Any]) -> None:
    """Check keys that accept certain words only, also those of losses that are not used.

    Args:
        values: by key.

    Raises:
        ValueError: another word; names the key, the words that it accepts, and the value.
    """
    of_losses = {key: FEATURES for key in values if FEATURE_OF_A_LOSS.fullmatch(key)}
    for key, known in {**CHOICES, **of_losses}.items():
        if values[key] not in known:
            raise ValueError(f"{key} must be one of {', '.join(known)}, got {values[key]!r}")
