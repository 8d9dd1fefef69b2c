from __future__ import annotations

import itertools
import logging

import numpy as np
import pytest

from reid_gl.evaluation import check_protocol, evaluate_features, evaluate_ranking
from reid_gl.evaluation.scores.protocol import check_test_set
from reid_gl.records import Features, ReidDataset, Sample, SceneSearch

NUMBERS = itertools.count()


def _samples(*people: tuple[int, int]) -> list[Sample]:
    """Each of an image of its own."""
    return [Sample(f"{next(NUMBERS)}.jpg", pid, camid) for pid, camid in people]


def test_counts_by_hand() -> None:
    query = _samples((1, 0), (2, 0), (3, 1), (4, 1))
    gallery = _samples((1, 1), (2, 0), (2, 0), (3, 1), (3, 2), (0, 0), (-1, 0), (7, 2))
    result = check_protocol(query, gallery)
    assert result.use_cameras
    assert result.num_queries == 4
    assert result.num_scored == 2  # 1 and 3
    assert result.num_only_same_camera == 1  # 2
    assert result.num_absent == 1  # 4
    assert result.num_gallery == 7
    assert result.num_distractors == 2  # 0 and 7
    assert result.name == "market1501"
    assert str(result) == (
        "2 of 4 queries have a match from another camera among 7 gallery images (2 distractors); "
        "1 match in their own camera only, 1 not at all"
    )


@pytest.mark.parametrize("camera_filter", ["on", "off"])
def test_counts_are_those_of_the_scores(camera_filter: str) -> None:
    """Also with unknown cameras, which are never the query's own."""
    for seed in range(15):
        rng = np.random.default_rng(seed)
        query, gallery = (
            _samples(*zip(rng.integers(low, 6, num).tolist(), rng.integers(-1, 2, num).tolist(), strict=True))
            for low, num in ((1, 8), (-1, 8))
        )
        pids, camids = (
            [np.array([getattr(sample, field) for sample in side]) for side in (query, gallery)]
            for field in ("pid", "camid")
        )
        cameras = camids if camera_filter == "on" else []
        distances = rng.random((8, 8))
        preflight = check_protocol(query, gallery, camera_filter=camera_filter)
        result = evaluate_ranking(distances, *pids, *cameras)
        assert preflight.num_scored == result.num_scored
        assert preflight.num_queries == result.num_queries
        assert preflight.num_gallery == result.num_gallery
        lost = preflight.num_absent + preflight.num_only_same_camera
        assert preflight.num_scored + lost == preflight.num_queries


@pytest.mark.parametrize("camera_filter", ["on", "off"])
def test_counts_where_every_query_searches_the_others(camera_filter: str) -> None:
    for seed in range(15):
        rng = np.random.default_rng(seed)
        pids, camids = rng.integers(-1, 6, 16), rng.integers(-1, 3, 16)
        samples = _samples(*zip(pids.tolist(), camids.tolist(), strict=True))
        features = Features(rng.standard_normal((16, 3)).astype(np.float32), pids, camids)
        preflight = check_protocol(samples, (), camera_filter=camera_filter)
        result = evaluate_features(features, use_cameras=camera_filter == "on")
        assert preflight.num_scored == result.num_scored
        assert preflight.num_queries == result.num_queries == (pids >= 0).sum()
        lost = preflight.num_absent + preflight.num_only_same_camera
        assert preflight.num_scored + lost == preflight.num_queries
        assert preflight.num_distractors == 0


def test_image_retrieval_needs_no_warning(caplog: pytest.LogCaptureFixture) -> None:
    result = check_protocol(_samples((1, -1), (1, -1), (2, -1)), ())
    assert (result.use_cameras, result.num_scored, result.num_absent) == (False, 2, 1)
    assert not caplog.records


@pytest.mark.parametrize(
    ("camids", "expected", "warning"),
    [
        ((0, 1), True, ""),
        ((0, 0), False, "the test set has one camera only"),
        ((0, -1), False, "some images have no camera"),
        ((-1, -1), False, "some images have no camera"),
    ],
)
def test_auto_follows_the_cameras_and_says_so(
    camids: tuple[int, int], expected: bool, warning: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        result = check_protocol(_samples((1, camids[0])), _samples((1, camids[1])))
    assert result.use_cameras == expected
    assert result.name == ("market1501" if expected else "no camera rule")
    assert warning in caplog.text
    assert bool(warning) == bool(caplog.text)


def test_the_camera_of_junk_does_not_count() -> None:
    assert not check_protocol(_samples((1, 0)), _samples((1, 0), (-1, 3))).use_cameras


def test_on_and_off_decide_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    query, gallery = _samples((1, 0)), _samples((1, 0), (1, 1))
    with caplog.at_level(logging.WARNING):
        assert check_protocol(query, gallery, camera_filter="on").use_cameras
        assert not check_protocol(query, gallery, camera_filter="off").use_cameras
    assert not caplog.text


def test_nothing_to_score_says_which_rule_is_to_blame() -> None:
    query = _samples((1, 0))
    with pytest.raises(
        ValueError, match=r"nothing can be scored: 0 of 1 .* Set TEST.CAMERA_FILTER off to count"
    ):
        check_protocol(query, _samples((1, 0), (2, 1)))
    with pytest.raises(ValueError, match="Query and gallery share no identity: check how the identities are"):
        check_protocol(query, _samples((2, 1)))
    with pytest.raises(ValueError, match="Query and gallery share no identity"):
        check_protocol(query, [])
    with pytest.raises(ValueError, match="The query set is empty: check the folder"):
        check_protocol([], _samples((1, 0)))


def test_unknown_filter() -> None:
    with pytest.raises(ValueError, match="camera filter 'yes': expected one of auto, on, off"):
        check_protocol(_samples((1, 0)), _samples((1, 1)), camera_filter="yes")


def test_a_training_set_alone_has_no_camera_to_speak_of(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(ValueError, match=r"The query set is empty: check the folder"):
        check_protocol((), ())
    assert not caplog.messages


def test_person_search_counts_the_queries_whose_person_is_in_a_searched_scene() -> None:
    query, gallery = _samples((1, 0), (2, 0)), _samples((1, 0), (0, 0), (2, 0))
    targets = np.array([[0, 0], [0, 1], [1, 1]])
    search = SceneSearch(
        np.array([0, 1, 1]),
        np.ones((3, 4), np.int64),
        np.array([[True, False], [True, False]]),
        targets,
        np.ones((3, 4), np.int64),
    )
    dataset = ReidDataset((), tuple(query), tuple(gallery), search=search)
    result = check_test_set(dataset, camera_filter="on")
    assert (result.name, result.use_cameras) == ("person search", False)
    assert (result.num_queries, result.num_scored, result.num_absent) == (2, 1, 1)
    assert (result.num_gallery, result.num_distractors) == (3, 1)
    nothing = SceneSearch(search.scenes, search.boxes, ~search.searched, targets[:1], search.target_boxes[:1])
    with pytest.raises(ValueError, match="nothing can be scored: 0 of 2 queries have their person in a sc"):
        check_test_set(ReidDataset((), tuple(query), tuple(gallery), search=nothing))
    assert check_test_set(ReidDataset((), tuple(query), tuple(gallery))) == check_protocol(query, gallery)
