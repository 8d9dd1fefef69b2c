from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from reid_gl.evaluation import evaluate_features, pool_tracks, track_pooling
from reid_gl.records import Features
from tests.reference.slow_track_pooling import slow_pool_tracks


def _features(rows: Any, pids: Any, camids: Any, paths: tuple[str, ...] = ()) -> Features:
    return Features(np.array(rows, dtype=np.float32), np.array(pids), np.array(camids), paths)


def _random(seed: int, num: int = 60) -> tuple[Features, np.ndarray[Any, np.dtype[np.int64]]]:
    """Few tracks of any length, whose frames are scattered, and frames without one; some rows are zeros."""
    rng = np.random.default_rng(seed)
    tracklets = rng.integers(-1, 12, num)
    owners = rng.integers(-1, 4, size=(12, 2))
    alone = rng.integers(-1, 4, size=(num, 2))
    who = np.where(tracklets[:, None] < 0, alone, owners[tracklets])
    rows = rng.normal(size=(num, 5)) * rng.uniform(0.1, 10, size=(num, 1)) * (rng.random((num, 1)) < 0.9)
    return _features(rows, who[:, 0], who[:, 1], tuple(f"{place}.jpg" for place in range(num))), 7 * tracklets


def _rows(features: Features) -> list[tuple[list[float], int, int, str]]:
    columns = features.embeddings.tolist(), features.pids.tolist(), features.camids.tolist(), features.paths
    return list(zip(*columns, strict=True))


def test_by_hand() -> None:
    frames = _features([[3, 4], [0, 2], [5, 0], [0, -9]], [7, 8, 7, 8], [0, 1, 0, 1], tuple("abcd"))
    pooled = pool_tracks(frames, np.array([4, -1, 4, -1]))
    mean = np.array([0.6 + 1, 0.8]) / np.hypot(1.6, 0.8)
    np.testing.assert_allclose(pooled.embeddings, [mean, [0, 1], [0, -1]], atol=1e-6)
    assert pooled.pids.tolist() == [7, 8, 8]
    assert pooled.camids.tolist() == [0, 1, 1]
    assert pooled.paths == ("a", "b", "d")


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_definition(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(track_pooling, "BLOCK_ROWS", 7)
    features, tracklets = _random(seed)
    expected = slow_pool_tracks(_rows(features), tracklets.tolist())
    pooled = pool_tracks(features, tracklets)
    assert pooled.embeddings.dtype == np.float32
    np.testing.assert_allclose(pooled.embeddings, [row[0] for row in expected], atol=1e-6)
    assert [row[1:] for row in _rows(pooled)] == [row[1:] for row in expected]


def test_scale_and_numbers_of_tracks_do_not_matter_and_inputs_stay() -> None:
    features, tracklets = _random(1)
    copies = features.embeddings.copy(), tracklets.copy()
    expected = pool_tracks(features, tracklets)
    other = replace(
        features, embeddings=features.embeddings * np.linspace(1, 9, 60, dtype=np.float32)[:, None]
    )
    pooled = pool_tracks(other, np.where(tracklets < 0, tracklets, 100 - tracklets))
    np.testing.assert_allclose(pooled.embeddings, expected.embeddings, atol=1e-6)
    assert pooled.paths == expected.paths
    assert np.array_equal(features.embeddings, copies[0])
    assert np.array_equal(tracklets, copies[1])


def test_zeros_and_frames_that_cancel_out_are_zeros() -> None:
    frames = _features([[0, 0], [0, 0], [2, 0], [-7, 0], [0, 0], [0, 3]], [1] * 6, [0] * 6)
    pooled = pool_tracks(frames, np.array([0, 0, 1, 1, 2, 2]))
    assert pooled.embeddings.tolist() == [[0, 0], [0, 0], [0, 1]]
    assert pooled.paths == ()


def test_noise_goes_away_in_a_track() -> None:
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(40, 32))

    def frames(camid: int) -> Features:
        pids = np.repeat(np.arange(40), 8)
        rows = centres[pids] + 3 * rng.normal(size=(320, 32))
        return _features(rows, pids + 1, np.full(320, camid))

    query, gallery = frames(0), frames(1)
    tracklets = np.repeat(np.arange(40), 8)
    pooled = evaluate_features(pool_tracks(query, tracklets), pool_tracks(gallery, tracklets))
    assert pooled.num_queries == 40
    assert pooled.mean_ap > evaluate_features(query, gallery).mean_ap + 0.3


def test_errors() -> None:
    features, tracklets = _random(0)
    with pytest.raises(ValueError, match=r"a whole number for each of 60 frames, got int64 \(59,\)"):
        pool_tracks(features, tracklets[:59])
    with pytest.raises(ValueError, match=r"a whole number for each of 60 frames, got float64 \(60,\)"):
        pool_tracks(features, tracklets.astype(np.float64))
    with pytest.raises(ValueError, match="a path for each of 60 frames, got 1"):
        pool_tracks(replace(features, paths=("a",)), tracklets)
    with pytest.raises(ValueError, match=r"track_pids must have shape \(60,\), got \(2,\)"):
        pool_tracks(replace(features, pids=features.pids[:2]), tracklets)
    with pytest.raises(ValueError, match=r"features \(M, D\) of at least one frame, got \(0, 5\)"):
        pool_tracks(replace(features, embeddings=features.embeddings[:0]), tracklets)
    frames = _features([[1, 0]] * 3, [5, 5, 6], [0, 1, 0])
    with pytest.raises(ValueError, match="track 9 has more than one identity, 5 and 6: give every stretch"):
        pool_tracks(frames, np.array([9, -1, 9]))
    with pytest.raises(ValueError, match="track 3 has more than one camera, 0 and 1"):
        pool_tracks(frames, np.array([3, 3, -1]))
    features.embeddings[3, 1] = np.nan
    with pytest.raises(ValueError, match=r"track features are NaN or infinite in 1 of 60 rows, first \[3\]"):
        pool_tracks(features, tracklets)
