from __future__ import annotations

import numpy as np
import pytest

from reid_gl.evaluation.scores.counting import FIRST_MATCH, INVERSE_PENALTY, RECTANGLE, TRAPEZOID
from reid_gl.evaluation.scores.matching import GroupRule
from reid_gl.evaluation.scores.row_scores import score_blocks, score_blocks_by
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


def test_agrees_with_the_definition_however_the_rows_are_cut() -> None:
    for seed in range(10):
        case = _case(seed)
        distances, query, gallery, images = case
        kept = gallery[0] != -1
        blocks = np.split(distances, [1, 1 + seed % 7])
        rules = [GroupRule(query[1], gallery[1]), GroupRule(*images)]
        scores = score_blocks(blocks, query[0], gallery[0], kept, rules)
        for row in range(9):
            hits = _hits(case, row)
            if any(hits):
                expected = slow_average_precision(hits), slow_trapezoid(hits), slow_inverse_penalty(hits)
                assert scores[row, [RECTANGLE, TRAPEZOID, INVERSE_PENALTY]] == pytest.approx(expected)
                assert scores[row, FIRST_MATCH] == hits.index(True) + 1
            else:
                assert scores[row, FIRST_MATCH] == 0
                assert np.isnan(np.delete(scores[row], FIRST_MATCH)).all()


def test_several_sets_of_rules_score_as_each_alone() -> None:
    distances, query, gallery, images = _case(0)
    kept = gallery[0] != -1
    protocols = [
        [],
        [GroupRule(*images)],
        [GroupRule(query[1], gallery[1]), GroupRule(*images, wants_same=True)],
    ]
    together = score_blocks_by(np.split(distances, 3), query[0], gallery[0], kept, protocols)
    for rules, own in zip(protocols, together, strict=True):
        expected = score_blocks([distances], query[0], gallery[0], kept, rules)
        assert np.array_equal(own, expected, equal_nan=True)
    assert not np.array_equal(together[0], together[1], equal_nan=True)


def test_a_distance_that_is_no_number() -> None:
    distances, query, gallery, _ = _case(0)
    distances[7, 3] = np.nan
    with pytest.raises(ValueError, match=r"a distance is not a number \(NaN\): check the features before"):
        score_blocks(np.split(distances, 3), query[0], gallery[0], gallery[0] != -1, [])
