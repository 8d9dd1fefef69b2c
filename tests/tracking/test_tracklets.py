from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from reid_gl.tracking.tracklets import Tracklet, associate_tracklets, cannot_link, pool_tracklets
from tests.reference.slow_tracklets import identity_f1, slow_associate, slow_distance, slow_is_possible

OVERLAPPING = [(1, 0)]
TRAVEL = {(0, 2): 4.0, (3, 1): 10.0}


def at(degrees: float) -> np.ndarray:
    return np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])


def tracklet(camid: int, start: float, end: float, degrees: float = 0.0) -> Tracklet:
    return Tracklet(camid, start, end, at(degrees))


def random_case(seed: int, num: int = 14) -> list[Tracklet]:
    rng = np.random.default_rng(seed)
    people = rng.normal(size=(4, 6))
    tracklets = []
    for _ in range(num):
        start = float(rng.integers(0, 60))
        feature = people[rng.integers(4)] + 0.5 * rng.normal(size=6)
        if rng.random() < 0.05:
            feature = np.zeros(6)
        camid = int(rng.integers(4))
        tracklets.append(Tracklet(camid, start, start + float(rng.integers(0, 12)), feature))
    return tracklets


def random_rules(seed: int) -> tuple[dict[str, Any], set[frozenset[int]], dict[frozenset[int], float]]:
    """Settings of associate_tracklets and the same for the reference."""
    overlapping = OVERLAPPING if seed % 3 else []
    travel = TRAVEL if seed % 2 else {}
    settings = {"overlapping_cameras": overlapping, "min_travel_times": travel or None}
    pairs = (
        {frozenset(pair) for pair in overlapping},
        {frozenset(pair): time for pair, time in travel.items()},
    )
    return settings, *pairs


def test_agrees_with_the_definition() -> None:
    for seed in range(8):
        tracklets = random_case(seed)
        settings, overlapping, travel = random_rules(seed)
        for threshold in (0.1, 0.4, 0.8):
            found = associate_tracklets(tracklets, threshold=threshold, **settings)
            assert found.tolist() == slow_associate(tracklets, threshold, overlapping, travel)


def test_no_identity_breaks_a_constraint() -> None:
    for seed in range(8):
        tracklets = random_case(seed, num=40)
        settings, overlapping, travel = random_rules(seed)
        found = associate_tracklets(tracklets, threshold=1.5, **settings)  # nearly everybody looks alike
        shared = 0
        for i, first in enumerate(tracklets):
            for j, second in enumerate(tracklets[:i]):
                if found[i] == found[j]:
                    shared += 1
                    assert slow_is_possible(first, second, overlapping, travel)
        assert shared > 20


def test_the_order_of_the_input_names_identities_but_changes_none() -> None:
    for seed in range(5):
        tracklets = random_case(seed)
        order = np.random.default_rng(seed).permutation(len(tracklets))
        straight = associate_tracklets(tracklets, threshold=0.5)
        shuffled = associate_tracklets([tracklets[place] for place in order], threshold=0.5)
        together = straight[order]
        assert np.array_equal(together[:, None] == together, shuffled[:, None] == shuffled)
        firsts = [int(np.flatnonzero(shuffled == name)[0]) for name in range(shuffled.max() + 1)]
        assert firsts == sorted(firsts)


def test_three_people_by_hand() -> None:
    tracklets = [
        tracklet(0, 0, 10, 0),
        tracklet(0, 5, 15, 1),  # looks like the first, but both are in camera 0 at 5
        tracklet(1, 20, 30, 3),
        tracklet(1, 40, 50, 90),
    ]
    assert associate_tracklets(tracklets, threshold=0.01).tolist() == [0, 1, 1, 2]
    assert associate_tracklets(tracklets, threshold=0.0).tolist() == [0, 1, 2, 3]


def test_one_instant_is_enough_to_be_two_people_and_views_that_overlap_are_not() -> None:
    pair = [tracklet(0, 0, 10), tracklet(1, 10, 20)]
    assert associate_tracklets(pair, threshold=0.5).tolist() == [0, 1]
    assert associate_tracklets(pair, threshold=0.5, overlapping_cameras=[(0, 1)]).tolist() == [0, 0]
    assert associate_tracklets(pair, threshold=0.5, overlapping_cameras={(1, 0)}).tolist() == [0, 0]
    same = [tracklet(0, 0, 10), tracklet(0, 10, 20)]
    assert associate_tracklets(same, threshold=0.5, overlapping_cameras=[(0, 1)]).tolist() == [0, 1]


def test_travel_takes_its_time_in_both_directions() -> None:
    for cameras in ((0, 1), (1, 0)):
        pair = [tracklet(cameras[0], 0, 10), tracklet(cameras[1], 14, 20)]
        for least, expected in ((4.0, [0, 0]), (4.1, [0, 1])):
            settings: dict[str, Any] = {"min_travel_times": {(0, 1): least}}
            assert associate_tracklets(pair, threshold=0.5, **settings).tolist() == expected


def test_of_equal_distances_one_is_joined_and_the_forbidden_pair_never() -> None:
    # 0 and 2 cannot be one person; both are as near to 1
    tracklets = [tracklet(0, 0, 1, 10), tracklet(1, 5, 6, 0), tracklet(0, 1, 2, -10)]
    for order in (tracklets, tracklets[::-1]):
        assert associate_tracklets(order, threshold=0.5).tolist() in ([0, 0, 1], [0, 1, 1])


def test_a_group_is_judged_by_its_mean_not_its_nearest_pair() -> None:
    chain = [tracklet(0, start, start + 1, degrees) for start, degrees in ((0, 0), (10, 40), (20, 85))]
    near, far = (slow_distance(first, chain[2]) for first in chain[:2])
    mean = (near + far) / 2
    assert associate_tracklets(chain, threshold=mean - 1e-9).tolist() == [0, 0, 1]
    assert associate_tracklets(chain, threshold=mean + 1e-9).tolist() == [0, 0, 0]


def test_nothing_and_a_feature_of_zeros() -> None:
    assert associate_tracklets([], threshold=0.5).tolist() == []
    blank = [Tracklet(0, 10 * place, 10 * place + 1, np.zeros(2)) for place in range(2)]
    assert associate_tracklets([*blank, tracklet(1, 50, 60)], threshold=2.0).tolist() == [0, 1, 2]


def test_the_input_is_left_as_it_was() -> None:
    tracklets = random_case(3)
    before = [item.feature.copy() for item in tracklets]
    associate_tracklets(tracklets, threshold=0.5)
    assert all(np.array_equal(item.feature, old) for item, old in zip(tracklets, before, strict=True))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"threshold": float("nan")}, "threshold must be a finite cosine distance, got nan"),
        ({"overlapping_cameras": [(1, 1)]}, "camera 1 is paired with itself"),
        ({"min_travel_times": {(0, 0): 1.0}}, "camera 0 is paired with itself"),
        ({"min_travel_times": {(0, 1): -1.0}}, r"cameras \(0, 1\) must be at least 0, got -1.0"),
        ({"min_travel_times": {(0, 1): float("nan")}}, "must be at least 0, got nan"),
        ({"min_travel_times": {(0, 1): 1.0, (1, 0): 2.0}}, "have two travel times"),
        (
            {"min_travel_times": {(0, 1): 1.0}, "overlapping_cameras": [(1, 0)]},
            "overlap and have a travel time: leave one of them out",
        ),
    ],
)
def test_settings_that_make_no_sense(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        associate_tracklets([tracklet(0, 0, 1)], **{"threshold": 0.5, **settings})


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (Tracklet(0, 3, 2, at(0)), "tracklet 1 must go from a time to a later one, got 3 to 2"),
        (Tracklet(0, float("nan"), 2, at(0)), "got nan to 2"),
        (Tracklet(0, 1, 2, np.ones(3)), r"tracklet 1 must have a finite feature \(2,\), got one of \(3,\)"),
        (Tracklet(0, 1, 2, np.ones((2, 2))), "pool_tracklets makes one of many"),
        (Tracklet(0, 1, 2, np.array([1, np.inf])), "must have a finite feature"),
    ],
)
def test_tracklets_that_make_no_sense(broken: Tracklet, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        associate_tracklets([tracklet(0, 0, 1), broken], threshold=0.5)


def test_what_cannot_be_is_symmetric() -> None:
    tracklets = random_case(1, num=30)
    forbidden = cannot_link(tracklets, overlapping_cameras=OVERLAPPING, min_travel_times=TRAVEL)
    assert np.array_equal(forbidden, forbidden.T)
    assert not forbidden.diagonal().any()
    assert 0 < forbidden.mean() < 0.9


def test_pooling_by_hand() -> None:
    features = [[3.0, 0.0], [0.0, 0.5], [7.0, 7.0], [0.0, 0.0], [0.0, -2.0], [1.0, 1.0]]
    pooled = pool_tracklets(features, [8, 8, -1, 8, 2, 5], [1, 1, 1, 1, 1, 0])
    assert pooled.ids.tolist() == [2, 5, 8]
    half = np.sqrt(0.5)
    np.testing.assert_allclose(pooled.features, [[0, -1], [0, 0], [half, half]], atol=1e-7)
    assert pooled.features.dtype == np.float32
    weighted = pool_tracklets(features, [8, 8, -1, 8, 2, 5], [1, 3, 1, 1, 1, 1])
    np.testing.assert_allclose(weighted.features[2], np.array([1, 3]) / np.sqrt(10), atol=1e-7)


def test_lengths_and_order_of_images_do_not_count() -> None:
    rng = np.random.default_rng(0)
    features, ids = rng.normal(size=(30, 5)), rng.integers(0, 4, 30)
    order = rng.permutation(30)
    scaled = (features * rng.uniform(0.1, 9, (30, 1)))[order]
    straight, other = pool_tracklets(features, ids), pool_tracklets(scaled, ids[order])
    np.testing.assert_allclose(straight.features, other.features, atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(straight.features, axis=1), 1, atol=1e-6)


def test_no_image_at_all() -> None:
    pooled = pool_tracklets(np.zeros((0, 3)), np.zeros(0, np.int64))
    assert pooled.ids.shape == (0,)
    assert pooled.features.shape == (0, 3)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (([1.0, 2.0], [0, 0]), r"expected features \(M, D\)"),
        (([[1.0], [2.0]], [0]), r"got \(2, 1\), \(1,\) and \(1,\)"),
        (([[1.0]], [0], [1.0, 2.0]), r"and \(2,\)"),
        (([[1.0]], [0.0]), "tracklet_ids must be whole numbers, got float64"),
        (([[np.nan]], [0]), "must be finite"),
        (([[1.0]], [0], [-1.0]), "weights at least 0"),
    ],
)
def test_images_that_make_no_sense(words: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pool_tracklets(*words)


def test_identity_f1_by_hand() -> None:
    assert identity_f1([1, 1, 2, 2], [5, 5, 6, 6]) == 1.0
    assert identity_f1([1, 1, 1, 2], [5, 5, 6, 6]) == 0.75
    assert identity_f1([1, 1, 2, 2], [5, 5, 5, 5]) == 0.5
    assert identity_f1([1, 1, 1, 1], [5, 6, 7, 8]) == 0.25


def walk(seed: int) -> tuple[list[Tracklet], list[int], list[int]]:
    """Tracklets of six people who walk through three cameras, who each is, and their lengths in frames."""
    rng = np.random.default_rng(seed)
    looks = rng.normal(size=(6, 16))
    tracklets, people, lengths = [], [], []
    for person in range(6):
        time = float(rng.integers(0, 20))
        for camid in rng.permutation(3).tolist():
            length = int(rng.integers(8, 20))
            images = looks[person] + 1.0 * rng.normal(size=(length, 16))
            pooled = pool_tracklets(images, np.zeros(length, np.int64))
            tracklets.append(Tracklet(camid, time, time + length - 1, pooled.features[0]))
            people.append(person)
            lengths.append(length)
            time += length + float(rng.integers(5, 15))
    return tracklets, people, lengths


def test_cameras_joined_beat_cameras_alone() -> None:
    for seed in range(5):
        tracklets, people, lengths = walk(seed)
        truth = np.repeat(people, lengths).tolist()
        scores = {}
        for threshold in (0.0, 0.5):
            found = associate_tracklets(tracklets, threshold=threshold, min_travel_times={(0, 1): 5.0})
            scores[threshold] = identity_f1(truth, np.repeat(found, lengths).tolist())
        assert scores[0.0] < 0.6
        assert scores[0.5] > 0.95


def test_identity_f1_agrees_with_trackeval() -> None:
    trackeval = pytest.importorskip("trackeval")
    tracklets, people, lengths = walk(0)
    found = associate_tracklets(tracklets, threshold=0.35).tolist()
    truth, numbers = np.repeat(people, lengths), np.repeat(found, lengths)
    # one box in each frame, so that the frames of all cameras follow one another
    data = {
        "num_gt_ids": 6,
        "num_tracker_ids": max(found) + 1,
        "num_gt_dets": len(truth),
        "num_tracker_dets": len(truth),
        "gt_ids": [np.array([name]) for name in truth],
        "tracker_ids": [np.array([name]) for name in numbers],
        "similarity_scores": [np.ones((1, 1))] * len(truth),
    }
    theirs = trackeval.metrics.Identity({"PRINT_CONFIG": False}).eval_sequence(data)["IDF1"]
    assert identity_f1(truth.tolist(), numbers.tolist()) == pytest.approx(theirs, abs=1e-12)
