"""Handles data sets that number identities from 0; in reid_gl identity 0 marks distractors."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.records import DISTRACTOR_PID, Sample

logger = logging.getLogger(__name__)


def is_counted_from_zero(query: Iterable[Sample], *, name: str, source: Path) -> bool:
    """Return whether a query has identity 0, which then marks no distractors; if so, log the consequence."""
    if all(sample.pid != DISTRACTOR_PID for sample in query):
        return False
    warn_once(
        logger,
        f"{name}: a query in {source} has identity 0, so people are counted from 0 there: each identity "
        "is its number + 1, and none marks distractors",
    )
    return True


def count_from_one(samples: Sequence[Sample]) -> list[Sample]:
    """Return the samples with identities increased by one; junk stays junk."""
    return [replace(s, pid=s.pid + 1) if s.pid >= DISTRACTOR_PID else s for s in samples]
