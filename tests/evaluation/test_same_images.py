from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from reid_gl.evaluation import RerankSettings, check_protocol, evaluate_features, evaluate_ranking
from reid_gl.evaluation.same_images import NO_COPY, number_same_images
from reid_gl.evaluation.scores.retrieval import evaluate_retrieval
from reid_gl.records import Features, Sample


def _files(folder: Path, **contents: bytes) -> dict[str, str]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return {name: str(folder / name) for name in contents}


def test_the_same_file_the_same_bytes_and_nothing_else(tmp_path: Path) -> None:
    files = _files(tmp_path, a=b"one", copy=b"one", b=b"two", c=b"three", alone=b"1 2 3")
    (tmp_path / "link").symlink_to("b")
    query = [Sample(files["a"], 1), Sample(files["b"], 2), Sample(files["c"], 3), Sample(files["alone"], 4)]
    gallery = [
        Sample(files["copy"], 1),  # the same bytes
        Sample(files["a"], 1),
        Sample(str(tmp_path / "link"), 2),
        Sample(files["a"], 2),  # another identity
        Sample(files["c"], 3, box=(0, 0, 2, 2)),  # another part
        Sample(files["b"], 4),
    ]
    first, second = number_same_images(query, gallery)
    assert first.tolist() == [first[0], first[1], NO_COPY, NO_COPY]
    assert len({NO_COPY, *first.tolist()}) == 3
    assert second.tolist() == [first[0], first[0], first[1], NO_COPY, NO_COPY, NO_COPY]


def test_boxes_junk_tracks_and_files_that_are_not_there() -> None:
    box = (1, 2, 3, 4)
    query = [Sample("none.jpg", 1, box=box), Sample("other.jpg", -1), Sample("track.jpg", 2, tracklet=3)]
    gallery = [Sample("none.jpg", 1, box=box), Sample("other.jpg", -1), Sample("track.jpg", 2, tracklet=4)]
    first, second = number_same_images(query, gallery)
    assert first.tolist() == second.tolist() == [0, NO_COPY, NO_COPY]


def _case(seed: int) -> tuple[Features, Features, np.ndarray]:
    """Half of the queries are in the gallery; the pairs (Q, G) that are one image."""
    rng = np.random.default_rng(seed)
    query = Features(
        rng.normal(size=(6, 8)).astype(np.float32), rng.integers(0, 3, 6), rng.integers(-1, 2, 6), images=None
    )
    gallery = Features(
        rng.normal(size=(14, 8)).astype(np.float32), rng.integers(-1, 3, 14), rng.integers(-1, 2, 14)
    )
    images = np.arange(6), np.full(14, -1)
    for place in range(3):
        for copy in (place, place + 3):
            gallery.embeddings[copy], gallery.pids[copy] = query.embeddings[place], query.pids[place]
            images[1][copy] = place
    sides = [
        Features(side.embeddings, side.pids, side.camids, images=numbers)
        for side, numbers in zip((query, gallery), images, strict=True)
    ]
    return sides[0], sides[1], images[0][:, None] == images[1]


@pytest.mark.parametrize("use_cameras", [True, False])
@pytest.mark.parametrize("seed", range(8))
def test_scores_are_those_of_a_gallery_without_the_query(seed: int, use_cameras: bool) -> None:
    query, gallery, same = _case(seed)
    result = evaluate_features(query, gallery, metric="euclidean", use_cameras=use_cameras)
    differences = query.embeddings[:, None].astype(np.float64) - gallery.embeddings
    distances = np.sqrt((differences**2).sum(axis=2)).astype(np.float32)
    for row in range(6):
        kept = ~same[row]
        cameras = (query.camids[row : row + 1], gallery.camids[kept]) if use_cameras else ()
        try:
            alone = evaluate_ranking(
                distances[row : row + 1, kept], query.pids[row : row + 1], gallery.pids[kept], *cameras
            )
        except ValueError:  # no match
            assert result.first_match[row] == 0
            continue
        assert result.first_match[row] == alone.first_match[0]
        assert result.average_precision[row] == pytest.approx(alone.average_precision[0])
    if not use_cameras:
        kept = gallery.pids >= 0
        scores = evaluate_retrieval(
            query.embeddings,
            query.pids,
            gallery_features=gallery.embeddings[kept],
            gallery_labels=gallery.pids[kept],
            ks=[1],
            metric="euclidean",
            images=(query.images, gallery.images[kept]),  # type: ignore[arg-type, index]
        )
        assert scores.recall_at[1] == pytest.approx(result.rank(1))


def test_re_ranking_leaves_it_out_too() -> None:
    query, gallery, _ = _case(0)
    settings = RerankSettings(k1=4, k2=2, lambda_value=0.3)
    with_copies = evaluate_features(query, gallery, rerank=settings, use_cameras=False)
    plain = [Features(side.embeddings, side.pids, side.camids) for side in (query, gallery)]
    assert evaluate_features(*plain, rerank=settings, use_cameras=False).mean_ap > with_copies.mean_ap


def test_a_query_that_finds_only_itself_has_no_match(caplog: pytest.LogCaptureFixture) -> None:
    query = [Sample("a.jpg", 1, 0), Sample("b.jpg", 2, 0)]
    gallery = [Sample("a.jpg", 1, 0), Sample("b.jpg", 2, 0), Sample("c.jpg", 2, 0)]
    with caplog.at_level(logging.WARNING):
        result = check_protocol(query, gallery, camera_filter="off")
    assert (result.num_scored, result.num_absent, result.num_in_both) == (1, 1, 2)
    assert caplog.messages == [
        "2 of 2 queries are in the gallery too, as the same file or the same bytes: each is left out against "
        "itself"
    ]
    with pytest.raises(ValueError, match="Every query finds itself only: give the gallery other images"):
        check_protocol(query, gallery[:2], camera_filter="off")


def test_the_camera_rule_leaves_it_out_without_a_word(caplog: pytest.LogCaptureFixture) -> None:
    query = [Sample("a.jpg", 1, 0)]
    result = check_protocol(query, [Sample("a.jpg", 1, 0), Sample("b.jpg", 1, 1)])
    assert (result.num_scored, result.num_in_both) == (1, 0)
    assert caplog.messages == []
