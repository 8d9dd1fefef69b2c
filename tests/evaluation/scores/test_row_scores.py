from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.scores.counting import FIRST_MATCH, INVERSE_PENALTY, RECTANGLE, TRAPEZOID
from reid_gl.evaluation.scores.row_scores import score_blocks
from tests.reference.slow_ranking import slow_average_precision, slow_inverse_penalty, slow_trapezoid

Side = tuple[np.ndarray, np.ndarray]


def _case(seed: int) -> tuple[np.ndarray, Side, Side, Side]:
    """Ties, junk, distractors, unknown cameras, images that stand on both sides."""
    rng = np.random.default_rng(seed)
    distances = rng.random((9, 20)).round(1)
    query = rng.integers(1, 6, 9), rng.integers(-1, 3, 9)
    gallery = rng.integers(-1, 5, 20), rng.integers(-1, 3, 20)
    return distances, query, gallery, (rng.integers(-1, 4, 9), rng.integers(-1, 4, 20))


def _hits(case: tuple[np.ndarray, Side, Side, Side], row: int) -> list[bool]:
    """Whether the first, second, ... image that this query searches shows its identity."""
    distances, query, gallery, images = case
    entries = []
    for place, distance in enumerate(distances[row].tolist()):
        is_match = query[0][row] == gallery[0][place]
        same_camera = query[1][row] == gallery[1][place] >= 0
        same_image = images[0][row] == images[1][place] >= 0
        if gallery[0][place] != -1 and not (is_match and (same_camera or same_image)):
            entries.append((distance, bool(is_match)))
    return [is_match for _, is_match in sorted(entries)]


@pytest.mark.parametrize("seed", range(10))
def test_agrees_with_the_definition_however_the_rows_are_cut(seed: int) -> None:
    case = _case(seed)
    distances, query, gallery, images = case
    kept = gallery[0] != -1
    blocks = np.split(distances, [1, 1 + seed % 7])
    scores = score_blocks(blocks, query, gallery, kept, images=images)
    for row in range(9):
        hits = _hits(case, row)
        if any(hits):
            expected = slow_average_precision(hits), slow_trapezoid(hits), slow_inverse_penalty(hits)
            assert scores[row, [RECTANGLE, TRAPEZOID, INVERSE_PENALTY]] == pytest.approx(expected)
            assert scores[row, FIRST_MATCH] == hits.index(True) + 1
        else:
            assert scores[row, FIRST_MATCH] == 0
            assert np.isnan(np.delete(scores[row], FIRST_MATCH)).all()


def test_without_numbers_no_two_images_are_the_same() -> None:
    distances, query, gallery, _ = _case(0)
    kept = gallery[0] != -1
    unknown = np.full(9, -1), np.full(20, -1)
    expected = score_blocks([distances], query, gallery, kept, images=unknown)
    assert np.array_equal(score_blocks([distances], query, gallery, kept), expected, equal_nan=True)


def test_a_distance_that_is_no_number() -> None:
    distances, query, gallery, _ = _case(0)
    distances[7, 3] = np.nan
    with pytest.raises(ValueError, match=r"a distance is not a number \(NaN\): check the features before"):
        score_blocks(np.split(distances, 3), query, gallery, gallery[0] != -1)
