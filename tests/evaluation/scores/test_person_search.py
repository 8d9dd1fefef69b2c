from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid_gl.evaluation import RerankSettings, evaluate_features, mean_ap_interval
from reid_gl.evaluation.scores.person_search import evaluate_person_search, overlap_enough
from reid_gl.records import Features, SceneSearch
from tests.reference.slow_person_search import Box, slow_overlap_enough, slow_person_search
from tests.reference.slow_similarity import slow_euclidean_distance

LEFT, RIGHT = (0, 0, 100, 200), (300, 0, 400, 200)


def on_a_line(places: list[float]) -> Features:
    """Features whose Euclidean distances are those of the places."""
    rows = np.array(places, np.float32)[:, None]
    return Features(rows, np.ones(len(rows), np.int64), np.zeros(len(rows), np.int64))


def make_search(
    boxes: list[tuple[int, Box]], searched: list[set[int]], truth: list[dict[int, Box]]
) -> SceneSearch:
    targets = [(q, scene, box) for q, own in enumerate(truth) for scene, box in sorted(own.items())]
    return SceneSearch(
        np.array([scene for scene, _ in boxes], np.int64),
        np.array([box for _, box in boxes], np.int64).reshape(-1, 4),
        np.array([[scene in own for scene in range(4)] for own in searched]),
        np.array([target[:2] for target in targets], np.int64).reshape(-1, 2),
        np.array([target[2] for target in targets], np.int64).reshape(-1, 4),
    )


def test_a_query_with_a_gallery_of_its_own_by_hand() -> None:
    # the person is on the left of scenes 0 and 1; scene 2 is searched, too, and scene 3 is not
    boxes = [(0, LEFT), (0, RIGHT), (1, LEFT), (1, RIGHT), (2, LEFT), (3, LEFT)]
    gallery = on_a_line([1, 2, 4, 5, 3, 0.5])
    search = make_search(boxes, [{0, 1, 2}], [{0: LEFT, 1: LEFT, 3: LEFT}])
    result = evaluate_person_search(on_a_line([0]), gallery, search, metric="euclidean", max_rank=3)
    # ranks 1 (scene 0), 2 and 3 (wrong), 4 (scene 1): the nearest box of all is not searched
    assert result.cmc.tolist() == [1, 1, 1]
    assert result.mean_ap == pytest.approx((1 + 2 / 4) / 2)
    assert result.mean_inp == pytest.approx(2 / 4)
    assert (result.num_queries, result.num_scored, result.num_gallery) == (1, 1, 6)
    assert result.first_match.tolist() == [1]


def test_boxes_of_a_detector_by_hand() -> None:
    # scene 0: two boxes on the person, of which the nearer counts; scene 1: the person is missed
    boxes = [(0, (0, 0, 100, 150)), (0, (5, 0, 100, 200)), (0, RIGHT), (1, RIGHT)]
    search = make_search(boxes, [{0, 1}], [{0: LEFT, 1: LEFT}])
    gallery = on_a_line([3, 2, 1, 4])
    result = evaluate_features(on_a_line([0]), gallery, search=search, metric="euclidean", max_rank=3)
    assert result.cmc.tolist() == [0, 1, 1]  # the wrong box at 1, then the match at 2; that at 3 is wrong
    assert result.mean_ap == pytest.approx(1 / 2 * 1 / 2)  # precision at rank 2, half of the true boxes found
    assert result.mean_inp == 0


def test_queries_that_miss_their_person_score_0_and_those_without_a_true_box_are_not_scored() -> None:
    boxes = [(0, LEFT), (1, RIGHT)]
    search = make_search(boxes, [{0}, {1}, {1}], [{0: LEFT}, {1: LEFT}, {0: LEFT}])
    result = evaluate_person_search(
        on_a_line([0, 0, 0]), on_a_line([1, 2]), search, metric="euclidean", max_rank=50
    )
    assert (result.num_queries, result.num_scored) == (3, 2)
    assert result.cmc.tolist() == [0.5] * 50
    assert result.mean_ap == 0.5
    assert result.average_precision.tolist() == pytest.approx([1, 0, np.nan], nan_ok=True)
    assert mean_ap_interval(result) == (0, 1)  # the missed query takes part


@pytest.mark.parametrize(
    ("box", "true_box", "expected"),
    [
        (LEFT, LEFT, True),
        (RIGHT, LEFT, False),
        ((0, 0, 100, 100), LEFT, True),  # exactly half
        ((0, 0, 100, 99), LEFT, False),
        ((0, 0, 20, 30), (0, 0, 10, 20), True),  # ten pixels larger: 200 / 600 of a small box is enough
        ((0, 0, 21, 30), (0, 0, 10, 20), False),
        ((-50, -10, 100, 200), LEFT, True),  # outside the image there is nothing
    ],
)
def test_overlaps(box: Box, true_box: Box, expected: bool) -> None:
    assert overlap_enough(np.array([box]), np.array([true_box])).tolist() == [expected]
    assert slow_overlap_enough(box, true_box) == expected


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_the_definition(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(seed)

    def box() -> Box:
        x, y = rng.integers(-3, 12, 2).tolist()
        width, height = rng.integers(4, 20, 2).tolist()
        return x, y, x + width, y + height

    boxes = [(int(rng.integers(4)), box()) for _ in range(25)]
    searched = [set(rng.choice(4, 3, replace=False).tolist()) for _ in range(7)]
    truth = [{scene: box() for scene in rng.choice(4, 2, replace=False).tolist()} for _ in range(7)]
    query, gallery = (
        Features(rng.integers(0, 3, (count, 2)).astype(np.float32), *np.zeros((2, count), np.int64))
        for count in (7, 25)
    )
    distances = slow_euclidean_distance(query.embeddings, gallery.embeddings)
    expected = slow_person_search(distances, boxes, searched, truth, max_rank=5)
    monkeypatch.setattr("reid_gl.evaluation.blocks.FEW_ROWS", 2)
    monkeypatch.setattr("reid_gl.evaluation.blocks.BLOCK_CELLS", 1)
    search = make_search(boxes, searched, truth)
    found = evaluate_person_search(query, gallery, search, metric="euclidean", max_rank=5)
    assert found.cmc == pytest.approx(expected.cmc)
    assert found.mean_ap == pytest.approx(expected.mean_ap)
    assert found.mean_inp == pytest.approx(expected.mean_inp)
    assert found.num_scored == expected.num_scored


def test_re_ranking_sees_the_boxes_of_all_scenes(monkeypatch: pytest.MonkeyPatch) -> None:
    query, gallery, asked = on_a_line([0]), on_a_line([1, 2, 3]), []

    def reranked(*sides: np.ndarray, rerank: RerankSettings, **settings: object) -> list[np.ndarray]:
        asked.append(([len(side) for side in sides], rerank))
        return [np.array([[3.0, 2.0, 1.0]], np.float32)]

    monkeypatch.setattr("reid_gl.evaluation.scores.person_search.feature_distances", reranked)
    search = make_search([(0, LEFT), (1, RIGHT), (2, LEFT)], [{0, 1}], [{0: LEFT}])
    rerank = RerankSettings(k1=4, k2=2)
    result = evaluate_features(query, gallery, search=search, rerank=rerank, max_rank=3)
    assert asked == [([1, 3], rerank)]
    assert result.cmc.tolist() == [0, 1, 1]


def test_what_does_not_fit_together() -> None:
    query, gallery = on_a_line([0]), on_a_line([1, 2])
    search = make_search([(0, LEFT), (1, RIGHT)], [{0}], [{0: LEFT}])
    for changed, message in (
        ({"scenes": np.zeros(3, np.int64)}, r"search\.scenes has shape \(3,\): expected \(2,\)"),
        ({"boxes": np.zeros((2, 3), np.int64)}, r"search\.boxes has shape \(2, 3\): expected \(2, 4\)"),
        ({"scenes": np.array([0, 4])}, r"search\.scenes must name numbers from 0 to 3, got 4"),
        ({"targets": np.array([[1, 0]])}, r"search\.targets must name numbers from 0 to 0, got 1"),
        (
            {"targets": np.array([[0, 1], [0, 0]]), "target_boxes": np.ones((2, 4), np.int64)},
            r"search\.targets must be in the order of queries and scenes, with none twice",
        ),
        (
            {"searched": np.zeros((1, 4), np.bool_)},
            "none of the 1 queries has a true box in a scene that it searches: check the lists of scenes",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            evaluate_person_search(query, gallery, replace(search, **changed))
    with pytest.raises(ValueError, match="max_rank must be at least 1, got 0"):
        evaluate_person_search(query, gallery, search, max_rank=0)
    with pytest.raises(ValueError, match="person search needs a gallery: the boxes of the scenes"):
        evaluate_features(query, search=search)
