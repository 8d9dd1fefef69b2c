from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid_gl.evaluation import evaluate_ranking
from reid_gl.evaluation.scores.group_protocols import evaluate_group_protocols, possible_protocols
from reid_gl.evaluation.scores.matching import GroupRule
from reid_gl.records import Features
from tests.reference.slow_ranking import slow_ranking
from tests.reference.slow_similarity import slow_euclidean_distance

CLOTHES = ("same_clothes", "clothes_changing")


def side(places: list[float], pids: list[int], camids: list[int], clothes: list[int]) -> Features:
    groups = np.array(clothes)
    return Features(
        np.array(places, np.float32)[:, None],
        np.array(pids),
        np.array(camids),
        clothes=groups,
        dates=groups // 2,
    )


QUERY = side([0], [1], [0], [10])
GALLERY = side([1, 2, 3, 4, 5], [1, 1, 2, 1, 1], [0, 1, 1, 1, 2], [10, 11, 20, 10, 12])


def test_by_hand() -> None:
    # the own camera's image at 1 never counts; the same clothes are at 4, others at 2 and 5, a stranger at 3
    found = evaluate_group_protocols(
        QUERY, GALLERY, (*CLOTHES, "another_day"), metric="euclidean", max_rank=3
    )
    same, changing, day = found["same_clothes"], found["clothes_changing"], found["another_day"]
    assert same is not None
    assert changing is not None
    assert day is not None
    assert (same.mean_ap, same.rank(1), same.rank(2)) == (1 / 2, 0, 1)  # wrong, right
    assert (changing.mean_ap, changing.rank(1)) == pytest.approx(((1 + 2 / 3) / 2, 1))  # right, wrong, right
    assert (day.mean_ap, day.rank(1)) == (1 / 2, 0)  # clothes 10 and 11 are one day: wrong, right
    assert same.num_gallery == 5


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_definition_streamed_and_from_distances(seed: int) -> None:
    rng = np.random.default_rng(seed)

    def make(count: int, lowest: int) -> Features:
        pids = rng.integers(lowest, 4, count)
        rows = rng.integers(0, 4, (count, 2)).astype(np.float32)
        return Features(rows, pids, rng.integers(0, 3, count), clothes=10 * pids + rng.integers(0, 2, count))

    query, gallery = make(8, 1), make(25, 1)
    gallery.pids[-3:] = (0, -1, -1)
    distances = np.array(slow_euclidean_distance(query.embeddings, gallery.embeddings))
    pids = query.pids, gallery.pids, query.camids, gallery.camids
    found = evaluate_group_protocols(query, gallery, CLOTHES, metric="euclidean", max_rank=5)
    assert query.clothes is not None
    assert gallery.clothes is not None
    for name, same in zip(CLOTHES, (True, False), strict=True):
        result, worn = found[name], (query.clothes, gallery.clothes)
        try:
            lists = [values.tolist() for values in pids]
            expected = slow_ranking(distances.tolist(), *lists, max_rank=5, clothes=(*worn, same))
        except ZeroDivisionError:
            assert result is None
            continue
        assert result is not None
        scored = evaluate_ranking(distances, *pids, rules=[GroupRule(*worn, same)], max_rank=5)
        for one in (result, scored):
            assert one.cmc == pytest.approx(expected.cmc)
            assert one.mean_ap == pytest.approx(expected.mean_ap)
            assert one.mean_inp == pytest.approx(expected.mean_inp)
            assert (one.num_scored, one.num_gallery) == (expected.num_scored, expected.num_gallery)


def test_nobody_in_the_same_clothes_is_none() -> None:
    gallery = side([1, 2], [1, 2], [1, 1], [11, 20])
    found = evaluate_group_protocols(QUERY, gallery, CLOTHES, metric="euclidean")
    assert found["same_clothes"] is None
    assert found["clothes_changing"] is not None


def test_groups_that_are_missing() -> None:
    names = ("clothes_changing",)
    bare = replace(GALLERY, clothes=None)
    with pytest.raises(
        ValueError, match=r"4 of 4 gallery images with a query's identity have no clothes: this"
    ):
        evaluate_group_protocols(QUERY, bare, names)
    unknown = side([0, 1], [1, 5], [0, 0], [-1, 50])
    with pytest.raises(ValueError, match=r"1 of 2 queries have no clothes"):
        evaluate_group_protocols(unknown, GALLERY, names)
    with pytest.raises(ValueError, match=r"1 of 1 queries have no camera: this protocol needs it"):
        evaluate_group_protocols(replace(QUERY, camids=np.array([-1])), GALLERY, names)
    strangers = side(
        [1, 2, 3], [1, 2, 0], [1, 1, -1], [11, -1, -1]
    )  # their clothes and cameras do not matter
    assert (
        evaluate_group_protocols(QUERY, strangers, names, metric="euclidean")["clothes_changing"] is not None
    )
    with pytest.raises(
        ValueError, match=r"unknown protocol 'hats': expected one of same_clothes, clothes_ch"
    ):
        evaluate_group_protocols(QUERY, GALLERY, ("hats",))


def test_which_protocols_are_possible() -> None:
    assert possible_protocols(QUERY, GALLERY) == (*CLOTHES, "another_day")
    assert possible_protocols(QUERY, replace(GALLERY, dates=None)) == CLOTHES
    assert possible_protocols(replace(QUERY, clothes=None, dates=None), GALLERY) == ()
    assert possible_protocols(QUERY, None) == ()


def test_drawn_galleries_are_scored_one_by_one_and_averaged() -> None:
    rng = np.random.default_rng(3)
    query = side(rng.normal(size=6).tolist(), [1, 2, 3] * 2, [0] * 6, [10, 20, 30, 11, 21, 31])
    gallery = side(rng.normal(size=9).tolist(), [1, 2, 3] * 3, [1] * 9, [10, 20, 30] * 3)
    draws = [[0, 1, 2], [3, 1, 8], [6, 7, 2]]
    settings = {"metric": "euclidean", "max_rank": 3}
    found = evaluate_group_protocols(query, gallery, CLOTHES, draws=draws, **settings)
    for name, own in zip(CLOTHES, (slice(0, 3), slice(3, 6)), strict=True):
        result = found[name]
        assert result is not None
        # one image of each person: the rank of the person is all there is
        ranks = [
            1 + sum(abs(gallery.embeddings[g] - place) < abs(gallery.embeddings[right] - place) for g in draw)
            for draw in draws
            for pid, place in zip(query.pids[own], query.embeddings[own], strict=True)
            for right in [draw[pid - 1]]
        ]
        assert result.mean_ap == pytest.approx(np.mean(1 / np.array(ranks)))
        assert result.rank(1) == pytest.approx(np.mean(np.array(ranks) == 1))
        assert (result.num_scored, result.num_gallery) == (3, 3)
    others = replace(gallery, clothes=np.array([10, 20, 30, 10, 20, 30, 10, 20, 39]))
    assert (
        evaluate_group_protocols(query, others, CLOTHES, draws=[[0], [8]], **settings)["same_clothes"] is None
    )
    with pytest.raises(ValueError, match=r"draw 1 must name rows of the gallery, 0 to 8"):
        evaluate_group_protocols(query, gallery, CLOTHES, draws=[[9]], **settings)
