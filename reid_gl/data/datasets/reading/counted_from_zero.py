"""Data sets that count people from 0, where 0 is a distractor here."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.records import DISTRACTOR_PID, Sample

logger = logging.getLogger(__name__)


def is_counted_from_zero(query: Iterable[Sample], *, name: str, source: Path) -> bool:
    """Whether a query has identity 0: nobody looks for a distractor. A log line says what follows from it."""
    if all(sample.pid != DISTRACTOR_PID for sample in query):
        return False
    warn_once(
        logger,
        f"{name}: a query in {source} has identity 0, so people are counted from 0 there: each identity "
        "is its number + 1, and none marks distractors",
    )
    return True


def count_from_one(samples: Sequence[Sample]) -> list[Sample]:
    """The same samples with identities one higher; junk stays junk."""
    return [replace(s, pid=s.pid + 1) if s.pid >= DISTRACTOR_PID else s for s in samples]
