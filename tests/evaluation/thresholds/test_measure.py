from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation.scores.verification import verify_pairs
from reid_gl.evaluation.thresholds import measure as calibrating
from reid_gl.evaluation.thresholds.intervals import redraw_thresholds
from reid_gl.evaluation.thresholds.measure import calibrate
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.records import Features
from tests.evaluation.thresholds.made_up_features import made_up, of_everything
from tests.reference.slow_verification import slow_operating_point

RATES = (0.02, 0.1)


def test_points_are_those_of_the_definition() -> None:
    for seed in range(3):
        query, gallery = (made_up(number, people=10, cameras=2) for number in (seed, seed + 50))
        gallery = replace(gallery, embeddings=gallery.embeddings + query.embeddings)
        result = calibrate(query, gallery, source="a", false_accept_rates=RATES, num_redraws=20)
        same, different = of_everything(query, gallery)
        for rate, point in zip(RATES, result.points, strict=True):
            threshold, _, accepted = slow_operating_point(same, [pair[0] for pair in different], rate)
            assert point.threshold == threshold
            assert (point.false_accept_rate, point.true_accept_rate) == (rate, accepted)
            assert 0 <= point.interval[0] <= threshold <= point.interval[1]
            assert point.interval[0] < point.interval[1]
            assert result.threshold(rate) == threshold
        assert (result.num_same, result.num_different) == (len(same), len(different))
        assert (sum(result.histogram_same), sum(result.histogram_different)) == (len(same), len(different))
        assert result.equal_error_rate == verify_pairs(query, gallery).equal_error_rate
        assert result.num_identities == 10


def test_one_set_searches_itself() -> None:
    features = made_up(0)
    result = calibrate(features, source="a", false_accept_rates=[0.01])
    assert result.num_same == 30 * 3 * 4  # three pairs of cameras, two images in each
    assert result.num_different == 30 * 29 // 2 * 36
    exact = verify_pairs(features, features, false_positive_rates=[0.01])
    assert result.threshold(0.01) == exact.points[0].threshold
    assert sum(result.histogram_same) == result.num_same


def test_images_without_cameras_never_find_themselves() -> None:
    features = made_up(0, cameras=1, per=4)
    unknown = replace(features, camids=np.full(len(features.pids), -1))
    result = calibrate(unknown, source="a", false_accept_rates=[0.01])
    assert result.num_same == 30 * 6
    assert result.camera_pairs == ()
    assert result.threshold(0.01) < 0.9


def test_distractors_are_nobody_in_a_set_that_searches_itself() -> None:
    features = made_up(0)
    rng = np.random.default_rng(9)
    more = Features(
        np.concatenate([features.embeddings, rng.normal(size=(40, 8)).astype(np.float32)]),
        np.concatenate([features.pids, np.repeat([0, -1], 20)]),
        np.concatenate([features.camids, np.zeros(40, np.int64)]),
    )
    assert calibrate(more, source="a", false_accept_rates=[0.01]) == calibrate(
        features, source="a", false_accept_rates=[0.01]
    )


def test_the_order_and_length_of_features_do_not_matter_and_the_seed_does_little() -> None:
    features = made_up(1)
    order = np.random.default_rng(0).permutation(len(features.pids))
    scaled = features.embeddings * np.random.default_rng(1).uniform(0.5, 3, (len(order), 1)).astype(
        np.float32
    )
    other = Features(scaled[order], features.pids[order], features.camids[order])
    first, second = (
        calibrate(side, source="a", false_accept_rates=[0.01], num_redraws=50) for side in (features, other)
    )
    assert first.threshold(0.01) == pytest.approx(second.threshold(0.01), abs=1e-6)
    np.testing.assert_allclose(first.points[0].interval, second.points[0].interval, atol=1e-6)
    assert calibrate(features, source="a", false_accept_rates=[0.01], num_redraws=50) == first
    reseeded = calibrate(features, source="a", false_accept_rates=[0.01], num_redraws=50, seed=1)
    assert reseeded.threshold(0.01) == first.threshold(0.01)
    assert reseeded.points[0].interval != first.points[0].interval


@pytest.mark.slow
def test_intervals_hold_the_threshold_of_all_people_most_of_the_time() -> None:
    truth = calibrate(made_up(1000, people=400), source="a", false_accept_rates=[0.05], num_redraws=2)
    held = 0
    for seed in range(40):
        sampled = calibrate(made_up(seed), source="a", false_accept_rates=[0.05], num_redraws=100)
        low, high = sampled.points[0].interval
        held += low <= truth.threshold(0.05) <= high
    assert held >= 34


def test_pairs_of_cameras_have_thresholds_of_their_own() -> None:
    features = made_up(2)
    dark = features.embeddings.copy()
    dark[features.camids == 2] += 2.0  # camera 2 sees everybody alike
    result = calibrate(replace(features, embeddings=dark), source="a", false_accept_rates=[0.01, 0.001])
    assert [(pair.query_camid, pair.gallery_camid) for pair in result.camera_pairs] == [
        (0, 1),
        (0, 2),
        (1, 2),
    ]
    sides = [
        Features(dark[features.camids == camid], features.pids[::3][:60], np.full(60, camid))
        for camid in (0, 1)
    ]
    alone = calibrate(*sides, source="a", false_accept_rates=[0.01])
    assert result.camera_pairs[0].points == alone.points
    assert (result.camera_pairs[0].num_same, result.camera_pairs[0].num_different) == (120, 60 * 60 - 120)
    thresholds = [result.threshold(0.01, *cameras) for cameras in ((0, 1), (0, 2), (2, 0))]
    assert thresholds[0] == alone.threshold(0.01) != result.threshold(0.01)
    assert thresholds[1] == thresholds[2]
    # 3,480 pairs cannot show 0.001, cameras 0 and 7 were not there: the threshold over all cameras
    assert result.threshold(0.001, 0, 1) == result.threshold(0.001)
    assert result.threshold(0.01, 0, 7) == result.threshold(0.01)


@pytest.mark.parametrize(
    ("people", "per", "enough"), [(10, 3, True), (9, 3, False), (12, 2, False), (13, 2, True)]
)
def test_cameras_that_share_too_little_are_left_out(people: int, per: int, enough: bool) -> None:
    features = made_up(2, people=people, cameras=2, per=per)
    result = calibrate(features, source="a", false_accept_rates=[0.05], num_redraws=5)
    assert bool(result.camera_pairs) is enough


def test_collapsed_features_are_explained() -> None:
    features = made_up(0)
    assert calibrate(features, source="a", num_redraws=5, false_accept_rates=[0.01]).collapse == ""
    collapsed = replace(features, embeddings=features.embeddings + 20)
    result = calibrate(collapsed, source="a", num_redraws=5, false_accept_rates=[0.01])
    assert result.mean_cosine_different > 0.9
    assert "the features have collapsed" in result.collapse
    assert "TEST.FEATURE after_neck" in result.to_dict()["collapse"]


def test_a_network_that_gives_one_feature_cannot_be_calibrated() -> None:
    features = replace(made_up(0), embeddings=np.ones((180, 8), np.float32))
    with pytest.raises(
        ValueError, match="too small to calibrate: too many pairs of two people share the small"
    ):
        calibrate(features, source="a", false_accept_rates=[0.01])


def test_more_pairs_are_held_where_the_redraws_need_them(monkeypatch: pytest.MonkeyPatch) -> None:
    features = made_up(5, people=6)
    settings: dict[str, Any] = {"source": "a", "false_accept_rates": [0.1], "num_redraws": 60}
    expected = calibrate(features, **settings)
    limits: list[float] = []

    def note(*sides: Any, limit: float, **rest: Any) -> Any:
        limits.append(limit)
        return redraw_thresholds(*sides, limit=limit, **rest)

    monkeypatch.setattr(calibrating, "redraw_thresholds", note)
    monkeypatch.setattr(calibrating, "FIRST_SHARE", 1.01)
    assert calibrate(features, **settings).points == expected.points
    assert len(limits) > 1
    assert limits == sorted(limits)


def test_rates_that_cannot_be_calibrated_are_named() -> None:
    result = calibrate(made_up(0), source="thirty people", num_redraws=5)
    assert [point.false_accept_rate for point in result.points] == [1e-2, 1e-3]
    assert result.missing == ((1e-4, "it takes 100,000 pairs of two people, there are 15,660"),)
    with pytest.raises(
        ValueError, match=r"of 0.0001: thirty people was calibrated for 0.01, 0.001 \(it takes 100,000 p"
    ):
        result.threshold(1e-4)
    with pytest.raises(ValueError, match=r"of 0.5: thirty people was calibrated for 0.01, 0.001$"):
        result.threshold(0.5)
    with pytest.raises(ValueError, match="one camera alone has no meaning"):
        result.threshold(1e-2, query_camid=1)


def test_it_survives_json() -> None:
    result = calibrate(made_up(0), source="a", num_redraws=5)
    assert result.camera_pairs
    text = json.dumps(result.to_dict(), allow_nan=False)
    assert Calibration.from_dict(json.loads(text)) == result
    with pytest.raises(FrozenInstanceError):
        result.source = "b"  # type: ignore[misc]


def test_the_roc_ends_with_everything_accepted() -> None:
    roc = np.array(calibrate(made_up(0), source="a", num_redraws=5).roc)
    assert (np.diff(roc, axis=0) >= 0).all()
    assert roc[-1, 1:].tolist() == [1.0, 1.0]
    assert 20 < len(roc) <= 200


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        ({}, {"false_accept_rates": []}, "expected false positive rates between 0 and 1"),
        ({}, {"false_accept_rates": [1.5]}, "expected false positive rates between 0 and 1"),
        ({}, {"num_redraws": 1}, "num_redraws must be at least 2, got 1"),
        ({"pids": np.zeros(180, np.int64)}, {}, "no image of a known person"),
        ({"pids": np.full(180, -1)}, {}, "no image of a known person"),
        ({"pids": np.ones(180, np.int64)}, {}, "no pair of two identities is left"),
        ({"pids": np.arange(1, 181)}, {}, "no pair of one identity is left"),
        ({"pids": np.ones(3, np.int64)}, {}, r"query_pids must have shape \(180,\)"),
        ({"embeddings": np.full((180, 8), np.nan, np.float32)}, {}, "features are NaN"),
        ({}, {"false_accept_rates": [1e-7]}, "a is too small to calibrate: it takes 100,000,000 pairs"),
    ],
)
def test_what_cannot_be_calibrated(change: dict[str, Any], settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        calibrate(replace(made_up(0), **change), source="a", **settings)


@pytest.mark.parametrize("has_gallery", [True, False])
@pytest.mark.parametrize("kind", ["one camera", "a camera each"])
def test_people_whom_one_camera_sees(kind: str, has_gallery: bool, caplog: pytest.LogCaptureFixture) -> None:
    people = made_up(0)
    camids = np.zeros_like(people.pids) if kind == "one camera" else people.pids % 7
    sides = [replace(people, camids=camids)]
    unknown = [replace(people, camids=np.full_like(camids, -1))]
    if has_gallery:
        other = made_up(0, noise=0.5)
        sides.append(replace(other, camids=camids))
        unknown.append(replace(other, camids=np.full_like(camids, -1)))
    expected = calibrate(*unknown, source="a", num_redraws=20)
    assert not caplog.messages
    result = calibrate(*sides, source="a", num_redraws=20)
    assert result == replace(expected, source="a (pairs of one person within one camera)")
    assert "nobody in a is seen by two cameras" in caplog.text


def test_one_person_whom_two_cameras_see_is_enough_for_the_rule(caplog: pytest.LogCaptureFixture) -> None:
    people = made_up(0)
    camids = np.where(people.pids == 3, people.camids, 0)
    result = calibrate(replace(people, camids=camids), source="a", num_redraws=20)
    assert (result.source, result.num_same) == ("a", 12)  # 3 x 2 x 2 pairs of cameras
    assert not caplog.messages
