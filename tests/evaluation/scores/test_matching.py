from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled
from reid_gl.evaluation.scores.matching import (
    GENUINE,
    IMPOSTOR,
    UNCOUNTED,
    fits_group,
    has_nan,
    in_other_camera,
    pair_kind,
)
from reid_gl.records import JUNK_PID

CASES = [(0, 0, False), (0, 1, True), (1, 0, True), (-1, -1, True), (-1, 0, True), (0, -1, True)]
"""Cameras of query and gallery image, and whether the image counts; -1 is unknown."""


@compiled()
def count_compiled(query_camid: int, gallery_camids: NDArray[np.int64]) -> int:
    count = 0
    for camid in gallery_camids:
        count += in_other_camera(query_camid, camid)
    return count


@pytest.mark.parametrize(("query", "gallery", "counts"), CASES)
def test_an_unknown_camera_of_the_query_differs_from_every_camera(
    query: int, gallery: int, counts: bool
) -> None:
    assert bool(in_other_camera(query, gallery)) is counts
    assert count_compiled(query, np.array([gallery, gallery])) == 2 * counts


@pytest.mark.parametrize(("query", "gallery", "counts"), CASES)
def test_a_rule_that_wants_the_same_group_is_the_opposite(query: int, gallery: int, counts: bool) -> None:
    assert bool(fits_group(query, gallery, False)) is counts
    assert bool(fits_group(query, gallery, True)) is not counts
    assert fits_group(np.array([query]), np.array([gallery]), np.array([True, False])).tolist() == [
        not counts,
        counts,
    ]


def test_arrays_broadcast() -> None:
    queries, galleries, counts = (np.array(column) for column in zip(*CASES, strict=True))
    assert in_other_camera(queries, galleries).tolist() == counts.tolist()
    assert in_other_camera(queries[:, None], galleries[None, :]).shape == (6, 6)


@pytest.mark.parametrize(
    ("query", "gallery", "kind"),
    [
        ((5, 0), (5, 1), GENUINE),
        ((5, -1), (5, -1), GENUINE),
        ((5, 0), (5, 0), UNCOUNTED),
        ((5, 0), (6, 0), IMPOSTOR),
        ((5, 0), (0, 0), IMPOSTOR),
        ((JUNK_PID, 0), (5, 1), UNCOUNTED),
        ((5, 0), (JUNK_PID, 1), UNCOUNTED),
        ((JUNK_PID, 0), (JUNK_PID, 1), UNCOUNTED),
    ],
)
def test_kinds_of_pairs(query: tuple[int, int], gallery: tuple[int, int], kind: int) -> None:
    assert pair_kind(*query, *gallery) == kind


def test_nan_is_found_and_infinity_is_none() -> None:
    row = np.array([0.0, np.inf, -np.inf, 1.0], np.float32)
    assert not has_nan(row)
    row[2] = np.nan
    assert has_nan(row)
