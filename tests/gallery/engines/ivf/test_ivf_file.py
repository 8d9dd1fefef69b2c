"""The file of an index: written in one step, damage is found."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.gallery import DamagedGalleryError
from reid_gl.gallery.engines.ivf.ivf_file import index_fault, load_index, read_marks, read_numbers, save_index
from reid_gl.gallery.engines.ivf.ivf_index import IvfIndex, train_index
from reid_gl.gallery.engines.ivf.ivf_settings import Marks
from reid_gl.gallery.interface.sightings import unit_features
from tests.gallery.made_up_galleries import features

MARKS = Marks(version=7, next_id=301, num_trained=300, checksums={1: 5, 300: 2**32 - 1})


@pytest.fixture(scope="module")
def index() -> IvfIndex:
    vectors = unit_features("", features(300), None)
    index = train_index(vectors, 4, 4)
    index.add(np.arange(1, 301), vectors)
    return index


def test_what_is_saved_comes_back(tmp_path: Path, index: IvfIndex) -> None:
    path = tmp_path / "people.db.ivfpq"
    save_index(path, index, MARKS)
    loaded, marks = load_index(path)
    assert marks == read_marks(path) == MARKS
    assert (len(loaded), loaded.num_lists, loaded.code_bytes) == (300, 4, 4)
    assert loaded.ids().tolist() == list(range(1, 301))
    queries = unit_features("", features(5, seed=1), None)
    np.testing.assert_array_equal(loaded.nearest(queries, 9, 4), index.nearest(queries, 9, 4))
    assert read_numbers(path)["rows"] == 300
    assert path.stat().st_mode & 0o007 == 0
    loaded.remove(np.array([1, 2, 999]))
    assert loaded.ids().tolist() == list(range(3, 301))


def test_every_flipped_bit_and_every_cut_is_found(tmp_path: Path, index: IvfIndex) -> None:
    path = tmp_path / "people.db.ivfpq"
    save_index(path, index, MARKS)
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    places = [*rng.integers(0, len(whole), 40).tolist(), *range(len(whole) - 40, len(whole))]
    for place in places:
        data = bytearray(whole)
        data[place] ^= 1 << int(rng.integers(8))
        path.write_bytes(data)
        assert "the rows of the gallery are not affected" in index_fault(path), place
        with pytest.raises(DamagedGalleryError, match="`reid-gl gallery train` makes a new index"):
            load_index(path)
    for size in (0, 5, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        assert "its end is missing" in index_fault(path)
    path.write_bytes(whole)
    assert index_fault(path) == ""


def test_a_save_that_fails_leaves_the_old_index(
    tmp_path: Path, index: IvfIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "people.db.ivfpq"
    save_index(path, index, MARKS)

    def fails(self: IvfIndex, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("the disk is full")

    monkeypatch.setattr(IvfIndex, "write", fails)
    with pytest.raises(OSError, match="full"):
        save_index(path, index, MARKS)
    assert load_index(path)[1] == MARKS
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
