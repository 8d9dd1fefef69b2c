"""Rank lists beside the scores, against literal sorting."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation import RerankSettings, evaluate_features
from reid_gl.evaluation.scores.rank_lists import IGNORED, RECALLS, RIGHT, WRONG, rank_with_lists
from reid_gl.records import Features

PLAIN: dict[str, Any] = {"metric": "cosine", "rerank": None, "max_memory_gb": None, "use_cameras": True}


def made_up(count: int, seed: int, *, num_pids: int = 5) -> Features:
    rng = np.random.default_rng(seed)
    pids = rng.integers(1, num_pids + 1, count)
    rows = rng.normal(size=(num_pids + 1, 6))[pids] + rng.normal(size=(count, 6))
    return Features(rows.astype(np.float32), pids, rng.integers(0, 3, count))


QUERY, GALLERY = made_up(12, 0), made_up(60, 1)
JUNK = np.arange(60) % 9 == 0
GALLERY.pids[JUNK] = -1


@pytest.mark.parametrize("rerank", [None, RerankSettings(k1=6, k2=3)])
@pytest.mark.parametrize("gallery", [GALLERY, None])
@pytest.mark.parametrize("use_cameras", [True, False])
def test_the_scores_are_those_of_evaluate_features(
    rerank: RerankSettings | None, gallery: Features | None, use_cameras: bool
) -> None:
    settings = {**PLAIN, "rerank": rerank, "use_cameras": use_cameras}
    result, lists = rank_with_lists(QUERY, gallery, **settings)
    plain = evaluate_features(QUERY, gallery, **settings)
    np.testing.assert_array_equal(result.average_precision, plain.average_precision)
    np.testing.assert_array_equal(result.cmc, plain.cmc)
    assert result.mean_ap == plain.mean_ap
    for row, first in enumerate(result.first_match):
        counted = lists.kinds[row][lists.kinds[row] != IGNORED]
        found = np.flatnonzero(counted == RIGHT)
        if 0 < first <= 10:
            assert found[0] + 1 == first
        elif first:
            assert not len(found)


def test_a_list_is_the_gallery_in_order() -> None:
    _, lists = rank_with_lists(QUERY, GALLERY, num_shown=7, **PLAIN)
    unit = [
        side.embeddings / np.linalg.norm(side.embeddings, axis=1, keepdims=True) for side in (QUERY, GALLERY)
    ]
    distances = 1 - unit[0] @ unit[1].T
    for row in range(len(QUERY.pids)):
        expected, counted = [], 0
        for place in np.argsort(distances[row], kind="stable"):
            same = GALLERY.pids[place] == QUERY.pids[row]
            kind = (
                RIGHT if same and GALLERY.camids[place] != QUERY.camids[row] else IGNORED if same else WRONG
            )
            kind = IGNORED if GALLERY.pids[place] == -1 else kind
            counted += kind != IGNORED
            expected.append((place, kind))
            if counted == 7:
                break
        length = len(expected)
        assert list(zip(lists.places[row][:length], lists.kinds[row][:length], strict=True)) == expected
        assert (lists.places[row][length:] == -1).all()
        np.testing.assert_allclose(
            lists.distances[row][:length], distances[row][[place for place, _ in expected]], atol=1e-6
        )


def test_the_area_under_the_precision_recall_curve_is_the_mean_ap() -> None:
    # 1, 2, 4 and 5 matches divide 100, so every step of a query's curve is met as often as it is wide
    query = Features(np.eye(4, dtype=np.float32), np.arange(1, 5), np.zeros(4, np.int64))
    counts = (1, 2, 4, 5)
    pids = np.concatenate([np.full(count, pid) for pid, count in enumerate(counts, start=1)])
    rows = np.random.default_rng(3).normal(size=(len(pids), 4)).astype(np.float32)
    result, lists = rank_with_lists(query, Features(rows, pids, np.ones(len(pids), np.int64)), **PLAIN)
    assert len(lists.precision) == len(RECALLS)
    assert lists.precision.mean() == pytest.approx(result.mean_ap, abs=1e-12)


def test_equal_distances_put_wrong_images_first_and_the_query_itself_is_ignored() -> None:
    same = Features(np.ones((4, 2), np.float32), np.array([1, 1, 2, 2]), np.full(4, -1))
    _, lists = rank_with_lists(same, None, num_shown=3, **PLAIN)
    assert lists.kinds[0].tolist().count(IGNORED) == 1
    counted = [
        (p, k) for p, k in zip(lists.places[0].tolist(), lists.kinds[0].tolist(), strict=True) if k != IGNORED
    ]
    assert counted == [(2, WRONG), (3, WRONG), (1, RIGHT)]


def test_an_image_on_both_sides_is_ignored() -> None:
    query = Features(np.ones((1, 2), np.float32), np.array([1]), np.array([-1]), images=np.array([7]))
    rows = np.array([[1, 1], [1, 0], [0, 1]], np.float32)
    gallery = Features(rows, np.array([1, 1, 2]), np.full(3, -1), images=np.array([7, 8, 9]))
    _, lists = rank_with_lists(query, gallery, **PLAIN)
    assert lists.kinds[0].tolist() == [IGNORED, WRONG, RIGHT]


def test_junk_queries_are_left_out_by_place() -> None:
    pids = np.array([-1, 1, 1, 2])
    features = Features(np.eye(4, 3, dtype=np.float32) + 0.1, pids, np.arange(4))
    _, lists = rank_with_lists(features, None, **PLAIN)
    assert lists.queries.tolist() == [1, 2, 3]
    assert set(lists.places[lists.places >= 0].tolist()) == {1, 2, 3}


def test_nothing_to_show_is_refused() -> None:
    with pytest.raises(ValueError, match="num_shown must be at least 1, got 0"):
        rank_with_lists(QUERY, GALLERY, num_shown=0, **PLAIN)
