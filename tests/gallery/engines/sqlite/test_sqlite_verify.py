"""Damage is found, named, and does not hide the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from reid_gl.gallery import DamagedGalleryError, Gallery, Sighting
from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.engines.sqlite.sqlite_file import PAGE_BYTES
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.sightings import StoredRow
from tests.gallery.made_up_galleries import features, sightings

COUNT = 600


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("gallery") / "people.db"
    with Gallery(path) as gallery:
        gallery.add(features(COUNT, width=128), sightings(COUNT))
        gallery.delete(ids=range(1, 20))
    return path.read_bytes()


@pytest.fixture
def damage(whole: bytes, tmp_path: Path) -> Callable[[Callable[[bytearray], None]], Path]:
    def write(change: Callable[[bytearray], None]) -> Path:
        data = bytearray(whole)
        change(data)
        (tmp_path / "people.db").write_bytes(data)
        return tmp_path / "people.db"

    return write


def stored(path: Path) -> dict[int, StoredRow]:
    engine = SqliteEngine(path, "r")
    rows = {row.id: row for batch in engine.read(Condition()) for row in batch}
    engine.close()
    return rows


def test_a_whole_file_is_whole(damage: Callable[..., Path]) -> None:
    path = damage(lambda data: None)
    with Gallery(path, "r") as gallery:
        report = gallery.verify()
    assert (report.num_rows, report.broken, report.problems) == (COUNT - 19, {}, [])
    assert sorted(stored(path)) == list(range(20, COUNT + 1))


@pytest.mark.parametrize("seed", range(40))
def test_a_flipped_bit_is_found_or_changes_nothing(
    damage: Callable[..., Path], whole: bytes, seed: int
) -> None:
    """Anywhere in the file: in features, metadata, indexes, the structure, or space that is not used."""
    expected = stored(damage(lambda data: None))
    place, bit = (int(number) for number in np.random.default_rng(seed).integers((0, 0), (2**40, 8)))

    def flip(data: bytearray) -> None:
        data[place % len(data)] ^= 1 << bit

    path = damage(flip)
    try:
        gallery = Gallery(path, "r")
    except ValueError:  # the first page, without which nothing can be read
        assert place % len(whole) < PAGE_BYTES
        return
    with gallery:
        report = gallery.verify()
    left = stored(path)
    assert all(left[number] == expected[number] for number in left)  # nothing wrong is handed out
    if report.is_whole:
        assert left == expected
    else:
        assert len(left) >= COUNT - 19 - 200  # a page of metadata at most
    assert report.num_rows == len(left)


def test_flipped_metadata_is_named(damage: Callable[..., Path]) -> None:
    def flip(data: bytearray) -> None:
        data[data.index("people/bäcker 77.jpg".encode()) + 3] ^= 1

    path = damage(flip)
    with Gallery(path, "r") as gallery:
        report = gallery.verify()
    assert report.broken == {78: "the metadata does not match its checksum"}
    assert sorted(stored(path)) == [number for number in range(20, COUNT + 1) if number != 78]


@pytest.mark.parametrize("share", [0.25, 0.5, 0.9, 0.99])
def test_a_truncated_file(damage: Callable[..., Path], tmp_path: Path, share: float) -> None:
    expected = stored(damage(lambda data: None))

    def truncate(data: bytearray) -> None:
        del data[int(share * len(data)) :]

    path = damage(truncate)
    with pytest.raises(DamagedGalleryError, match=r"is damaged .*open it with mode 'r' and export the rest"):
        Gallery(path)
    left = stored(path)
    assert all(left[number] == expected[number] for number in left)
    with Gallery(path, "r") as gallery:
        report = gallery.verify()
        assert not report.is_whole
        assert report.num_rows == len(left)
        if left:
            assert gallery.export(tmp_path / "rest.npz") == len(left)
            number = min(left)
            query = np.frombuffer(left[number].vector, np.float32)
            assert gallery.search(query, 1)[0][0].id == number
    assert share < 0.9 or len(left) > 100


def test_a_page_of_zeros(damage: Callable[..., Path]) -> None:
    def erase(data: bytearray) -> None:
        page = data.index("people/bäcker 300.jpg".encode()) // PAGE_BYTES
        data[page * PAGE_BYTES : (page + 1) * PAGE_BYTES] = bytes(PAGE_BYTES)

    path = damage(erase)
    with Gallery(path, "r") as gallery:
        report = gallery.verify()
        assert 301 not in {match.id for match in gallery.search(features(1, width=128), COUNT)[0]}
    assert any(problem.startswith("structure: ") for problem in report.problems)
    assert 301 in report.broken
    assert report.num_rows > COUNT / 2


def test_a_row_that_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    with Gallery(path) as gallery:
        gallery.add(features(3), [Sighting()] * 3)
    engine = SqliteEngine(path, "r+")
    connection = engine._connection
    connection.execute("DELETE FROM vectors WHERE id = 2")
    assert engine.verify().broken == {2: "the feature is missing"}
    connection.execute("DELETE FROM sightings WHERE id = 2")
    report = engine.verify()
    assert report.problems == ["3 rows were added and not deleted, 1 of them are missing"]
    engine.close()
