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


def test_one_part_where_the_tracker_compares_parts() -> None:
    """Means over the parts of the cosines, as with `grid_off=False`, the default of its class."""
    boxes = np.array([[10, 20, 30, 70], [60, 10, 90, 90], [500, 0, 510, 50]], np.float32)
    tracks = DeepOcSortEmbedder(make_extractor(), grid_off=False).compute_embedding(
        noise_frame(), boxes, "a:1"
    )
    new = DeepOcSortEmbedder(make_extractor(), grid_off=False).compute_embedding(noise_frame(1), boxes, "a:2")
    whole = DeepOcSortEmbedder(make_extractor(), grid_off=True).compute_embedding(
        noise_frame(1), boxes, "a:2"
    )
    assert tracks.shape == (3, 1, 24)
    assert np.einsum("dpk,tpk->dt", new, tracks) / 1 == pytest.approx(whole @ tracks[:, 0].T, abs=1e-6)
    smooth = 0.9 * tracks[0] + 0.1 * new[0]
    assert (smooth / np.linalg.norm(smooth)).shape == (1, 24)
    empty = DeepOcSortEmbedder(make_extractor(), grid_off=False).compute_embedding(noise_frame(), [], "a:3")
    assert empty.shape == (0, 1, 24)


def test_the_same_tag_twice_is_no_memory() -> None:
    embedder, frame = DeepOcSortEmbedder(make_extractor()), noise_frame()
    first = embedder.compute_embedding(frame, [[10, 20, 30, 70]], "video:1")
    frame[:] = RED
    assert not np.array_equal(embedder.compute_embedding(frame, [[10, 20, 30, 70]], "video:1"), first)
    assert len(embedder.compute_embedding(frame, [[0, 0, 9, 9], [1, 1, 9, 9]], "video:1")) == 2
    embedder.dump_cache()
