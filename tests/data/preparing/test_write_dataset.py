from __future__ import annotations

import csv
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.datasets.market1501 import load_market1501
from reid_gl.data.datasets.own.class_folders import load_class_folders
from reid_gl.data.datasets.own.pattern import load_pattern
from reid_gl.data.datasets.own.table import load_table
from reid_gl.data.datasets.reading.market_layout import MARKET_FOLDERS, load_market_layout
from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.data.loading.images import read_image
from reid_gl.data.preparing.make_split import make_split
from reid_gl.data.preparing.write_dataset import write_csv, write_market_layout
from reid_gl.records import ReidDataset, Sample
from tests.conftest import WriteNoise

PARTS = ("train", "query", "gallery")


@pytest.fixture(autouse=True)
def _nothing_said_yet() -> Iterator[None]:
    warn_once.cache_clear()
    yield
    warn_once.cache_clear()


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)  # different bytes, to see which file went where
    return folder


def from_market(folder: Path) -> ReidDataset:
    names = (
        ("2_c1s1_1.jpg", "2_c3s1_1.JPG", "11_c2.png"),
        ("0007_c1.jpg",),
        ("0007_c2.jpeg", "0000_c1.jpg", "-1_c1.jpg"),
    )
    for part, own in zip(MARKET_FOLDERS, names, strict=True):
        touch(folder / part, *own)
    return load_market1501(folder)


def from_classes(folder: Path) -> ReidDataset:
    return load_class_folders(
        touch(folder, "train/zoë/1.jpg", "query/anna k/1.jpg", "gallery/anna k/2, left.jpg")
    )


def from_retrieval(folder: Path) -> ReidDataset:
    return load_class_folders(touch(folder, "train/cat/1.jpg", "test/dog/1.jpg", "test/dog/2.jpg"))


def from_pattern(folder: Path) -> ReidDataset:
    touch(folder, "train/hall/bo.jpg", "query/hall/cy.jpg", "gallery/door/cy.jpg")
    return load_pattern(folder, r"/(?P<camera>\w+)/(?P<pid>\w+)\.")


def from_table(folder: Path) -> ReidDataset:
    touch(folder, "a.jpg", "b b.jpg", 'c"c.jpg')
    text = 'a.jpg,5,0,train,,,,,3,,7\nb b.jpg,6,,query,1,2,9,8,,4,\n"c""c.jpg",6,4,gallery,0,0,5,5,1,5,0\n'
    text += '"c""c.jpg",0,4,gallery,,,,,,,\n'
    (folder / "list.csv").write_text(f"path,pid,camid,split,x1,y1,x2,y2,tracklet,clothes,date\n{text}")
    return load_table(folder / "list.csv")


def from_split(folder: Path) -> ReidDataset:
    names = [f"{pid:03d}_{place}.jpg" for pid in range(1, 9) for place in range(3)]
    touch(folder, *names)
    return make_split([Sample(f"{folder}/{name}", int(name[:3]), int(name[4]) % 2) for name in names])


SOURCES = [from_market, from_classes, from_retrieval, from_pattern, from_table, from_split]


@pytest.mark.parametrize("source", SOURCES)
def test_a_table_reads_back_the_same(tmp_path: Path, source: Callable[[Path], ReidDataset]) -> None:
    dataset = source(tmp_path)
    write_csv(dataset, tmp_path / "written.csv")
    assert load_table(tmp_path / "written.csv") == replace(dataset, name="written")
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("source", [from_market, from_classes, from_pattern, from_split])
def test_market_layout_reads_back_identities_cameras_and_bytes(
    tmp_path: Path, source: Callable[[Path], ReidDataset]
) -> None:
    dataset = source(tmp_path / "from")
    seen: list[tuple[int, int]] = []
    write_market_layout(dataset, tmp_path / "out", progress=lambda done, total: seen.append((done, total)))
    written = load_market_layout(tmp_path / "out")
    total = 0
    for part in PARTS:
        wanted = [(Path(s.path).read_bytes(), s.pid, max(0, s.camid)) for s in getattr(dataset, part)]
        found = [(Path(s.path).read_bytes(), s.pid, s.camid) for s in getattr(written, part)]
        assert sorted(found) == sorted(wanted)
        total += len(wanted)
    assert seen == [(done, total) for done in range(1, total + 1)]
    assert [path.name for path in tmp_path.iterdir() if path.name != "from"] == ["out"]


def test_names_of_files_by_hand(tmp_path: Path) -> None:
    write_market_layout(from_market(tmp_path / "from"), tmp_path / "out")
    names = {
        part: sorted(path.name for path in (tmp_path / "out" / part).iterdir()) for part in MARKET_FOLDERS
    }
    assert names == {
        "bounding_box_train": [
            "0002_c1s1_000002_00.jpg",
            "0002_c3s1_000003_00.JPG",
            "0011_c2s1_000001_00.png",
        ],
        "query": ["0007_c1s1_000004_00.jpg"],
        "bounding_box_test": ["0000_c1s1_000005_00.jpg", "0007_c2s1_000006_00.jpeg"],
    }


def test_random_sets_read_back_from_both(tmp_path: Path) -> None:
    for seed in range(20):
        rng = random.Random(seed)
        folder = tmp_path / str(seed)
        names = touch(folder, *(f"{n} {rng.random()}.jpg" for n in range(12)))
        samples = [
            Sample(str(path), pid, rng.randrange(4))
            for pid, path in enumerate(sorted(names.iterdir()), start=1)
        ]
        dataset = ReidDataset(tuple(samples[:4]), tuple(samples[4:8]), tuple(samples[8:]), "table")
        write_csv(dataset, folder / "table.csv")
        assert load_table(folder / "table.csv") == dataset
        write_market_layout(dataset, folder / "market")
        market = load_market_layout(folder / "market")
        for part in PARTS:
            own = [(s.pid, s.camid, os.stat(s.path).st_ino) for s in getattr(dataset, part)]
            assert [(s.pid, s.camid, os.stat(s.path).st_ino) for s in getattr(market, part)] == own


def test_images_are_links_or_else_copies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = from_market(tmp_path / "from")
    (tmp_path / "from" / "link.jpg").symlink_to(dataset.train[0].path)
    dataset = replace(dataset, train=(Sample(str(tmp_path / "from" / "link.jpg"), 2, 0),))
    write_market_layout(dataset, tmp_path / "out")
    (written,) = load_market_layout(tmp_path / "out").train
    assert not os.path.islink(written.path)
    assert os.path.samefile(written.path, dataset.train[0].path)

    def refuse(*_: object) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    write_market_layout(dataset, tmp_path / "copied")
    (copied,) = load_market_layout(tmp_path / "copied").train
    assert not os.path.samefile(copied.path, dataset.train[0].path)
    assert Path(copied.path).read_bytes() == Path(dataset.train[0].path).read_bytes()


def test_boxes_are_cut_out_and_unknown_kinds_become_png(tmp_path: Path, write_noise: WriteNoise) -> None:
    frame, odd = write_noise("frame.png", size=(40, 30)), write_noise("odd.bmp", seed=1)
    photo = write_noise("photo.JPG", seed=2, size=(64, 64))
    dataset = ReidDataset(
        train=(Sample(str(frame), 1, 0, (2, 3, 12, 33)), Sample(str(frame), 2, 0, (-5, 0, 7, 90))),
        query=(Sample(str(odd), 3, 0),),
        gallery=(Sample(str(photo), 3, 1, (8, 0, 40, 64)),),
    )
    write_market_layout(dataset, tmp_path / "out")
    written = load_market_layout(tmp_path / "out")
    pixels = read_image(frame)
    assert np.array_equal(read_image(written.train[0].path), pixels[3:33, 2:12])
    assert np.array_equal(read_image(written.train[1].path), pixels[:, :7])
    assert np.array_equal(read_image(written.query[0].path), read_image(odd))
    assert written.gallery[0].path.endswith(".JPG")
    cut = read_image(written.gallery[0].path)
    assert cut.shape == (64, 32, 3)
    assert np.abs(cut.astype(float) - read_image(photo)[:, 8:40]).mean() < 12  # JPEG again, of noise


def test_what_market_layout_cannot_say_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    touch(tmp_path, "a.jpg", "b.jpg", "c.jpg")
    a, b, c = (str(tmp_path / name) for name in ("a.jpg", "b.jpg", "c.jpg"))
    dataset = ReidDataset((Sample(a, 1),), (Sample(b, 2, 4, tracklet=3),), (Sample(c, 2, -1),))
    write_market_layout(dataset, tmp_path / "some")
    written = load_market_layout(tmp_path / "some")
    assert [s.camid for part in PARTS for s in getattr(written, part)] == [5, 4, 5]
    assert (
        "2 of 3 images have no camera, but file names of Market-1501 need one: they become camera 6"
        in caplog.text
    )
    assert "has no tracks: they are lost; a .csv file keeps them" in caplog.text
    caplog.clear()
    write_market_layout(replace(dataset, query=(Sample(b, 2),)), tmp_path / "none")
    assert os.listdir(tmp_path / "none" / "query") == ["0002_c1s1_000002_00.jpg"]
    assert "3 of 3 images have no camera" in caplog.text
    assert "tracks" not in caplog.text


def test_columns_only_where_needed(tmp_path: Path) -> None:
    write_csv(from_classes(tmp_path), tmp_path / "plain.csv")
    with (tmp_path / "plain.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file)) == [
            ["path", "pid", "camid", "split"],
            ["train/zoë/1.jpg", "2", "", "train"],
            ["query/anna k/1.jpg", "1", "", "query"],
            ["gallery/anna k/2, left.jpg", "1", "", "gallery"],
        ]


def test_a_table_beside_a_link_to_its_folder(tmp_path: Path) -> None:
    dataset = from_market(tmp_path / "real")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    write_csv(dataset, tmp_path / "link" / "a.csv")
    assert load_table(tmp_path / "real" / "a.csv") == replace(dataset, name="a")


def test_tables_that_cannot_be_written(tmp_path: Path) -> None:
    dataset = from_market(tmp_path / "from")
    with pytest.raises(
        ValueError, match=r"image .* does not lie below .*: write the table into a folder that contains"
    ):
        write_csv(dataset, tmp_path / "elsewhere" / "a.csv")
    assert not (tmp_path / "elsewhere").exists()
    with pytest.raises(ValueError, match=r"cannot write a\.tsv: expected a name ending in \.csv"):
        write_csv(dataset, "a.tsv")
    with pytest.raises(ValueError, match="empty has no image to list"):
        write_csv(ReidDataset((), (), (), "empty"), tmp_path / "a.csv")
    (tmp_path / "a.csv").write_text("mine")
    (tmp_path / "link.csv").symlink_to(tmp_path / "unmounted.csv")
    with pytest.raises(FileExistsError, match=r"link\.csv exists: choose another name or remove it"):
        write_csv(dataset, tmp_path / "link.csv")
    with pytest.raises(FileExistsError, match=r"a\.csv exists: choose another name or remove it"):
        write_csv(dataset, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text() == "mine"
    for name in (" a.jpg", os.fsdecode(b"\xff.jpg")):
        odd = replace(dataset, train=(Sample(str(tmp_path / name), 1),))
        with pytest.raises(ValueError, match=r"begins or ends with a space, or is not UTF-8: rename it"):
            write_csv(odd, tmp_path / "b.csv")


def test_folders_that_cannot_be_written(tmp_path: Path, write_noise: WriteNoise) -> None:
    dataset = from_market(tmp_path / "from")
    with pytest.raises(FileExistsError, match="from exists: choose another folder or remove this one"):
        write_market_layout(dataset, tmp_path / "from")
    with pytest.raises(
        ValueError, match=r"has no images for train and gallery, .*: write a \.csv file instead"
    ):
        write_market_layout(replace(dataset, train=(), gallery=()), tmp_path / "out")
    lost = replace(dataset, train=(Sample(str(tmp_path / "lost.jpg"), 1, 0),))
    with pytest.raises(FileNotFoundError, match=r"1 of the 4 images .* first is .*lost\.jpg"):
        write_market_layout(lost, tmp_path / "out")
    outside = Sample(str(write_noise("noise.png")), 1, 0, (100, 0, 120, 9))
    with pytest.raises(ValueError, match="does not overlap image"):
        write_market_layout(replace(dataset, train=(outside,)), tmp_path / "out")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["from", "noise.png"]
