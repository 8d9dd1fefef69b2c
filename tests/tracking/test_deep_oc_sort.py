from __future__ import annotations

import numpy as np
import pytest

from reid_gl.tracking import DeepOcSortEmbedder
from tests.tracking.coloured_people import RED, make_extractor, noise_frame


def test_the_tracker_takes_cosines_by_dot_product_and_smooths() -> None:
    embedder = DeepOcSortEmbedder(make_extractor())
    detections = np.array([[10, 20, 30, 70, 0.9], [60, 10, 90, 90, 0.5], [500, 0, 510, 50, 0.7]], np.float32)
    tracks = embedder.compute_embedding(noise_frame(), detections[:, :4], "MOT17-02:1")
    new = embedder.compute_embedding(noise_frame(1), detections[:, :4], "MOT17-02:2")
    cosines = new @ tracks.T
    assert np.abs(cosines).max() <= 1 + 1e-6
    trust = (detections[:, 4] - 0.4) / 0.6
    for track, feature, alpha in zip(tracks, new, 0.95 + 0.05 * (1 - trust), strict=True):
        track *= alpha
        track += (1 - alpha) * feature
        track /= np.linalg.norm(track)
    assert np.linalg.norm(tracks, axis=1) == pytest.approx(1.0, abs=1e-6)


def test_the_same_tag_twice_is_no_memory() -> None:
    embedder, frame = DeepOcSortEmbedder(make_extractor()), noise_frame()
    first = embedder.compute_embedding(frame, [[10, 20, 30, 70]], "video:1")
    frame[:] = RED
    assert not np.array_equal(embedder.compute_embedding(frame, [[10, 20, 30, 70]], "video:1"), first)
    assert len(embedder.compute_embedding(frame, [[0, 0, 9, 9], [1, 1, 9, 9]], "video:1")) == 2
    embedder.dump_cache()
