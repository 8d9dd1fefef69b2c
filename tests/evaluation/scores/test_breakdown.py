from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid_gl.evaluation import evaluate_camera_pairs, evaluate_features, mean_ap_interval
from reid_gl.evaluation.scores.breakdown import paired_difference
from reid_gl.records import Features


def _features(seed: int, num: int, *, cameras: int = 3) -> Features:
    rng = np.random.default_rng(seed)
    pids = rng.integers(-1, 6, num)
    rows = 2.0 * np.eye(7, 8)[pids] + rng.normal(size=(num, 8))
    return Features(rows.astype(np.float32), pids, rng.integers(0, cameras, num))


def test_an_interval_holds_the_mean_and_shrinks_with_more_queries() -> None:
    gallery = _features(1, 80)
    few = evaluate_features(_features(0, 30), gallery)
    many = evaluate_features(_features(0, 900), gallery)
    widths = []
    for result in (few, many):
        low, high = mean_ap_interval(result)
        assert low < result.mean_ap < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 3  # about 1 / sqrt(30)


def test_the_interval_is_that_of_the_normal_distribution_where_queries_are_many() -> None:
    result = evaluate_features(_features(0, 900), _features(1, 80))
    precisions = result.average_precision[result.first_match > 0]
    deviation = precisions.std() / len(precisions) ** 0.5
    low, high = mean_ap_interval(result, level=0.6827, num_samples=4_000)
    assert high - low == pytest.approx(2 * deviation, rel=0.06)
    assert (low, high) == mean_ap_interval(result, level=0.6827, num_samples=4_000)
    assert (low, high) != mean_ap_interval(result, level=0.6827, num_samples=4_000, seed=1)


@pytest.mark.parametrize("change", [{"level": 0.0}, {"level": 1.0}, {"num_samples": 0}])
def test_interval_errors(change: dict[str, float]) -> None:
    result = evaluate_features(_features(0, 30), _features(1, 80))
    with pytest.raises(ValueError, match=r"expected a level in \(0, 1\) and at least one sample"):
        mean_ap_interval(result, **change)  # type: ignore[arg-type]


def test_a_pair_of_cameras_is_a_gallery_without_the_other_cameras() -> None:
    query, gallery = _features(0, 60), _features(1, 90)
    pairs = evaluate_camera_pairs(query, gallery)
    assert [(pair.query_camid, pair.gallery_camid) for pair in pairs] == [
        (q, g) for q in range(3) for g in range(3)
    ]
    for pair in pairs:
        if pair.query_camid == pair.gallery_camid:
            assert pair.result is None
            continue
        chosen = query.camids == pair.query_camid
        some = Features(query.embeddings[chosen], query.pids[chosen], query.camids[chosen])
        others = replace(gallery, pids=np.where(gallery.camids == pair.gallery_camid, gallery.pids, -1))
        expected = evaluate_features(some, others)  # the other cameras' images are junk
        assert pair.result is not None
        assert pair.result.mean_ap == pytest.approx(expected.mean_ap)
        assert pair.result.num_gallery == expected.num_gallery


def test_unknown_cameras_are_scored_and_pairs_without_a_match_are_not() -> None:
    query = Features(np.eye(2, dtype=np.float32), np.array([1, 2]), np.array([-1, 0]))
    gallery = Features(np.eye(2, dtype=np.float32), np.array([1, 3]), np.array([-1, 1]))
    scored = {
        (pair.query_camid, pair.gallery_camid): pair.result is not None
        for pair in evaluate_camera_pairs(query, gallery)
    }
    assert scored == {(-1, -1): True, (-1, 1): False, (0, -1): False, (0, 1): False}


def test_a_paired_interval_is_narrower_than_that_of_two_separate_means() -> None:
    query, gallery = _features(0, 400), _features(1, 80)
    rng = np.random.default_rng(5)
    noisy = replace(
        query, embeddings=query.embeddings + rng.normal(size=query.embeddings.shape).astype(np.float32) / 2
    )
    first, second = evaluate_features(query, gallery), evaluate_features(noisy, gallery)
    found = paired_difference(first, second)
    assert found.difference == second.mean_ap - first.mean_ap < 0
    low, high = found.interval
    assert low < found.difference < high
    scored = first.first_match > 0
    differences = (second.average_precision - first.average_precision)[scored]
    assert high - low == pytest.approx(2 * 1.96 * differences.std() / len(differences) ** 0.5, rel=0.15)
    assert high - low < np.ptp(mean_ap_interval(first)) + np.ptp(mean_ap_interval(second))
    assert (found.num_better, found.num_worse) == ((differences > 0).sum(), (differences < 0).sum())
    assert found.share_not_above > 0.99
    assert paired_difference(second, first).share_not_above < 0.01
    assert paired_difference(first, first).interval == (0.0, 0.0)


def test_results_of_different_queries_have_no_difference() -> None:
    gallery = _features(1, 80)
    first, second = (evaluate_features(_features(seed, 40), gallery) for seed in (0, 2))
    with pytest.raises(ValueError, match="did not score the same queries"):
        paired_difference(first, second)
