"""A file with an approximate index, beside the exact search of the same file."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.gallery import DamagedGalleryError, Gallery, Sighting
from reid_gl.gallery.engines.ivf import indexed_rows, ivf_search, kept_index
from reid_gl.gallery.engines.ivf.ivf_file import load_index, read_marks, save_index
from reid_gl.gallery.engines.ivf.ivf_index import IvfIndex
from reid_gl.gallery.engines.sqlite import sqlite_engine
from reid_gl.gallery.engines.sqlite.index_beside import index_path
from reid_gl.gallery.interface.sightings import unit_features
from tests.gallery.made_up_galleries import MORNING, Floats, features, sightings

PEOPLE, EACH, WIDTH = 20, 120, 32
COUNT = PEOPLE * EACH
OPTIONS = "?lists=32&bytes=8&probes=8&train_at=2000"


def clustered(count: int, seed: int) -> Floats:
    """Features around the same few people."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).normal(size=(PEOPLE, WIDTH))
    return (centres[np.arange(count) % PEOPLE] + 0.5 * rng.normal(size=(count, WIDTH))).astype(np.float32)


QUERIES = clustered(6, seed=1)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("trained") / "people.db"
    with Gallery(f"faiss:{path}{OPTIONS}") as gallery:
        gallery.add(clustered(1_999, seed=0), sightings(1_999))
        assert not index_path(path).exists()
        gallery.add(clustered(COUNT, seed=0)[1_999:], sightings(COUNT)[1_999:])
        assert index_path(path).exists()
    return path


@pytest.fixture
def path(trained: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    for file in (trained, index_path(trained)):
        shutil.copy(file, tmp_path)
    return tmp_path / trained.name


def opened(path: Path, mode: str = "a", options: str = OPTIONS) -> Gallery:
    return Gallery(f"faiss:{path}{options}", mode)


def found(gallery: Gallery, **asked: Any) -> list[list[tuple[int, float, Sighting]]]:
    answers = gallery.search(QUERIES, 12, **asked)
    return [[(match.id, match.score, match.sighting) for match in answer] for answer in answers]


def test_recall_is_at_least_098_at_50_and_few_probes_cost_some(trained: Path) -> None:
    with opened(trained, "r") as gallery:
        assert gallery.recall(num_queries=60, k=50) >= 0.98
    with opened(trained, "r", "?probes=1&candidates=1") as gallery:
        assert 0.1 < gallery.recall(num_queries=60, k=50) < 0.98


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"cameras": [0, 2]},
        {"cameras": []},
        {"cameras": 1, "time": (MORNING, MORNING + 3_000)},
        {"time": (None, MORNING + 60_000), "min_score": 0.1},
        {"exclude": [{"camera": 1, "tracklet": [0, 1]}, {"pid": 3}, {"id": list(range(1, 500))}]},
    ],
)
@pytest.mark.parametrize("limits", [{"FEW_ROWS": 10**6}, {"FEW_ROWS": 0}, {"MOST_LISTED": 0}])
def test_filters_are_exact(
    trained: Path, asked: dict[str, Any], limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, limit in {"MOST_PROPOSED": 300, "MOST_COMPARED": 500, **limits}.items():
        monkeypatch.setattr(ivf_search, name, limit)
    with opened(trained, "r") as indexed, Gallery(trained, "r") as exact:
        assert found(indexed, **asked) == found(exact, **asked)


def recall(path: Path, options: str = OPTIONS, **asked: Any) -> float:
    """Mean share of the 50 nearest rows that a search finds."""
    queries = clustered(40, seed=2)
    with opened(path, "r", options) as indexed, Gallery(path, "r") as exact:
        answers = [gallery.search(queries, 50, **asked) for gallery in (indexed, exact)]
    pairs = zip(*([{match.id for match in answer} for answer in side] for side in answers), strict=True)
    return float(np.mean([len(found & right) / len(right) for found, right in pairs]))


@pytest.mark.parametrize(
    "asked",
    [
        {"cameras": [0, 2, 3]},
        {"cameras": 1},
        {"cameras": 1, "time": (MORNING, MORNING + 60 * COUNT / 2)},
        {"time": (MORNING, MORNING + 60 * COUNT / 2)},
    ],
)
def test_recall_with_a_filter_is_at_least_098_at_50(
    trained: Path, asked: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivf_search, "FEW_ROWS", 0)
    assert recall(trained, **asked) >= 0.98


def test_a_filter_that_is_applied_first_searches_all_lists(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ivf_search, "FEW_ROWS", 0)
    monkeypatch.setattr(ivf_search, "FILTERED", 4)  # 4 x 66 candidates of about 480 rows
    assert recall(trained, "?probes=1&candidates=1", cameras=1) >= 0.98
    assert recall(trained, "?probes=1&candidates=1") < 0.98


def test_a_filter_that_leaves_few_rows_compares_them_all(
    trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(IvfIndex, "nearest", proposes_the_first)
    assert recall(trained, cameras=1, time=(MORNING, MORNING + 60 * COUNT / 2)) == 1.0
    assert recall(trained, cameras=1) == 1.0


def proposes_the_first(
    index: IvfIndex, queries: Floats, count: int, probes: int, allowed: object = None
) -> Any:
    """An index that proposes only rows that satisfy no filter."""
    assert allowed is None, "the filter leaves few rows: the index has nothing to say"
    return np.full((len(queries), count), COUNT + 1_000)


def test_a_damaged_row_is_left_out_of_what_is_compared(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    wanted = clustered(COUNT, seed=0)[4]
    stored = unit_features("", wanted[None], None).tobytes()
    data = path.read_bytes()
    assert data.count(stored) == 1
    path.write_bytes(data.replace(stored, b"\x7f\xc0\x00\x7f" * WIDTH))  # numbers that are no numbers
    with opened(path, "r") as gallery, caplog.at_level(logging.WARNING):
        answer = gallery.search(wanted, 50)[0]
    assert len(answer) == 50
    assert 5 not in [match.id for match in answer]
    assert [match.score for match in answer] == sorted((match.score for match in answer), reverse=True)


def test_an_answer_of_all_rows_and_of_none(path: Path) -> None:
    with opened(path) as gallery:
        (answer,) = gallery.search(QUERIES[0], COUNT + 5)
        assert len(answer) == COUNT
        assert gallery.search(QUERIES[:0]) == []
        assert gallery.delete(ids=range(1, COUNT + 1)) == COUNT
        assert gallery.search(QUERIES[0]) == [[]]
    with opened(path) as gallery:
        assert gallery.search(QUERIES[0]) == [[]]
        gallery.add(QUERIES[:1], [Sighting()])
        assert [match.id for match in gallery.search(QUERIES[0])[0]] == [COUNT + 1]


def test_what_is_added_and_deleted_is_seen_at_once_by_readers_too(path: Path) -> None:
    with opened(path) as writer, opened(path, "r") as reader:
        assert found(reader) == found(writer)
        ids = writer.add(QUERIES, [Sighting(camera=7)] * len(QUERIES))
        for gallery in (writer, reader):
            assert [answer[0][0] for answer in found(gallery)] == ids.tolist()
        writer.set_identity(ids[:1], 70)
        assert writer.delete(ids=ids[1:]) == 5
        for gallery in (writer, reader):
            assert found(gallery, cameras=7)[0][0][2] == Sighting(camera=7, pid=70)
            assert found(gallery, exclude={"pid": 70}) == found(gallery, cameras=range(-1, 4))


@pytest.mark.parametrize("kept_versions", [1_000, 0])
def test_deleted_rows_leave_the_index_file_when_the_writer_closes(
    path: Path, kept_versions: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_engine, "KEPT_VERSIONS", kept_versions)
    monkeypatch.setattr(indexed_rows, "ROWS_AT_ONCE", 500)
    with opened(path) as gallery:
        gallery.delete(ids=[3, 4])
        gallery.delete(ids=5)
    assert load_index(index_path(path))[0].ids().tolist() == [1, 2, *range(6, COUNT + 1)]
    saved = index_path(path).stat().st_mtime_ns
    with opened(path) as gallery:  # nothing to save
        gallery.search(QUERIES)
        assert gallery.verify().is_whole
    assert index_path(path).stat().st_mtime_ns == saved


def test_rows_that_are_deleted_without_the_index_leave_it_later(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Gallery(path) as gallery:
        gallery.delete(ids=3)
    assert f"index {index_path(path)} still holds codes of the deleted rows" in caplog.text
    assert 3 in load_index(index_path(path))[0].ids()
    caplog.clear()
    with opened(path) as gallery:
        gallery.delete(ids=4)
    assert load_index(index_path(path))[0].ids().tolist() == [1, 2, *range(5, COUNT + 1)]
    assert not caplog.text


def test_the_index_is_saved_when_it_lacks_many_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_index, "UNSAVED_ROWS", 30)
    with opened(path) as gallery:
        gallery.add(clustered(20, seed=5), sightings(20))
        assert read_marks(index_path(path)).next_id == COUNT + 1
        gallery.add(clustered(20, seed=6), sightings(20))
        assert read_marks(index_path(path)).next_id == COUNT + 41
        assert read_marks(index_path(path)).num_trained == COUNT


def test_training_again_takes_other_settings(path: Path) -> None:
    with opened(path, options="?lists=7&bytes=4") as gallery:
        assert gallery.train() == COUNT
        index = gallery.stats().index
    assert index is not None
    assert index["num_bytes"] == index_path(path).stat().st_size
    expected = {"rows": COUNT, "num_trained": COUNT, "lists": 7, "code_bytes": 4, "probes": 7}
    assert {name: index[name] for name in expected} == expected
    with opened(path, "r") as gallery, pytest.raises(PermissionError, match="is open for reading"):
        gallery.train()
    with opened(path, options="?bytes=5") as gallery, pytest.raises(ValueError, match="a divisor of 32"):
        gallery.train()


def test_training_needs_undamaged_rows(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = np.ones((300, WIDTH), np.float32)
    monkeypatch.setattr(indexed_rows.IndexedRows, "sample", lambda rows, count: few)
    with opened(path, options="?lists=400") as gallery, pytest.raises(ValueError, match="400 undamaged rows"):
        gallery.train()


def test_galleries_without_an_index(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    with opened(path) as gallery:
        assert gallery.search(QUERIES[0]) == [[]]
        gallery.add(features(9), sightings(9))
        assert gallery.stats().index is None
        assert len(gallery.search(features(1))[0]) == 9
        assert gallery.verify().is_whole
        with pytest.raises(ValueError, match="an index needs 256 rows, there are 9"):
            gallery.train()
    with (
        Gallery(path) as gallery,
        pytest.raises(ValueError, match=r"has no index to train: open it as faiss:people\.db"),
    ):
        gallery.train()


def test_a_damaged_index_is_named_and_made_again(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data = bytearray(index_path(path).read_bytes())
    data[len(data) // 2] ^= 16
    index_path(path).write_bytes(data)
    with opened(path, "r") as gallery:
        (problem,) = gallery.verify().problems
        assert "it does not match its checksum" in problem
        with pytest.raises(DamagedGalleryError, match="`reid-gl gallery train` makes a new index"):
            gallery.search(QUERIES)
    index_path(path).write_bytes(b"")
    with caplog.at_level(logging.WARNING), opened(path) as gallery:
        gallery.add(QUERIES[:1], [Sighting()])
        assert "the rows are stored, but not their index" in caplog.text
        assert gallery.train() == COUNT + 1
        assert found(gallery)[0][0][0] == COUNT + 1


@pytest.mark.parametrize("count", [100, COUNT + 100])
def test_an_index_of_another_gallery_is_not_used(
    path: Path, count: int, caplog: pytest.LogCaptureFixture
) -> None:
    path.unlink()
    with Gallery(path) as gallery:
        for _ in range(3):
            gallery.add(clustered(count // 2, seed=8), sightings(count // 2))
    with opened(path, "r") as reader:
        assert "the gallery" in reader.verify().problems[0]
        with pytest.raises(DamagedGalleryError, match="cannot be used"):
            reader.search(QUERIES)
    with caplog.at_level(logging.WARNING), opened(path) as writer:
        assert "people.db.ivfpq is deleted: it" in caplog.text
        assert len(writer.search(QUERIES, 5)[0]) == 5


def test_an_index_that_cannot_be_saved_does_not_undo_an_addition(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(*args: object) -> None:
        raise OSError("the disk is full")

    monkeypatch.setattr(kept_index, "UNSAVED_ROWS", 3)
    monkeypatch.setattr(kept_index, "UNSAVED_SHARE", 0.0)
    monkeypatch.setattr(kept_index, "save_index", full)
    with caplog.at_level(logging.WARNING), opened(path) as gallery:
        assert len(gallery.add(QUERIES, sightings(6))) == 6
        assert "the rows are stored, but not their index: the disk is full" in caplog.text
        assert [answer[0][0] for answer in found(gallery)] == list(range(COUNT + 1, COUNT + 7))
        monkeypatch.setattr(kept_index, "save_index", save_index)
    assert load_index(index_path(path))[0].ids()[-1] == COUNT + 6


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs fork")
def test_kills_lose_no_row_and_leave_an_index_that_can_be_used(tmp_path: Path) -> None:
    command = [sys.executable, "tests/gallery/killed_writers.py", str(tmp_path), "3", "1", "indexed"]
    root = Path(__file__).parents[4]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, cwd=root)
    assert answer.returncode == 0, answer.stderr
    acknowledged, stored = map(int, answer.stdout.split())
    assert 0 < acknowledged <= stored


def test_without_faiss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faiss", None)
    with pytest.raises(ImportError, match=r"this gallery needs faiss .*: pip install 'reid_gl\[faiss\]'"):
        opened(tmp_path / "people.db")
    assert not (tmp_path / "people.db").exists()
