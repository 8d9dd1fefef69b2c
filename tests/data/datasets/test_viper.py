from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.viper import PUBLISHED, load_viper

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = [f"{camera}/{person:03}_{angle}.bmp" for person in range(632) for camera, angle in
         (("cam_a", 45 * (person % 3)), ("cam_b", 90 + 45 * (person % 3)))]  # fmt: skip
SMALL = [*NAMES[:10], "cam_a/Thumbs.db", "cam_b/._000_90.bmp"]


@pytest.mark.parametrize("home", ["", "VIPeR", "viper/VIPeR", "VIPeR.v1.0"])
def test_every_accepted_root_gives_the_same(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    make_files(tmp_path / home, SMALL)
    dataset = load_viper(tmp_path)
    for part in ("", "cam_a", "cam_b"):
        assert load_viper(tmp_path / home / part) == dataset
    assert dataset.name == "viper"
    images = sorted(dataset.train + dataset.query + dataset.gallery, key=lambda sample: sample.path)
    assert [(Path(s.path).name, s.pid, s.camid) for s in (*images[:2], *images[5:7])] == [
        ("000_0.bmp", 1, 0),
        ("001_45.bmp", 2, 0),
        ("000_90.bmp", 1, 1),
        ("001_135.bmp", 2, 1),
    ]
    assert len(images) == 10


def test_the_whole_set_has_the_published_sizes(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    make_files(tmp_path, NAMES)
    one, other = load_viper(tmp_path, split=9), load_viper(tmp_path, split=19)
    assert not caplog.records
    assert (one.train, one.query, one.gallery) == (other.train, other.gallery, other.query)
    assert {Path(sample.path).parent.name for sample in one.query} == {"cam_a"}
    paths = [sample.path for sample in one.train]
    assert paths == sorted(paths)
    assert {s.pid for s in one.train}.isdisjoint(s.pid for s in one.query)
    assert {s.pid for s in one.query} == {s.pid for s in one.gallery}
    assert PUBLISHED.training_images + PUBLISHED.query_images + PUBLISHED.gallery_images == 2 * 632


def test_other_counts_are_said(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    load_viper(make_files(tmp_path, SMALL))
    assert "viper: 4 training images (published 632)" in caplog.text


def test_broken_sets(tmp_path: Path, make_files: MakeFiles) -> None:
    with pytest.raises(FileNotFoundError, match="VIPeR is not in"):
        load_viper(tmp_path)
    (tmp_path / "cam_b").mkdir()
    make_files(tmp_path, [name for name in SMALL if name.startswith("cam_a")])
    with pytest.raises(FileNotFoundError, match=r"no image in .*cam_b: expected files ending in \.bmp"):
        load_viper(tmp_path)
    make_files(tmp_path, NAMES[1:8:2])
    with pytest.raises(ValueError, match="viper: 1 of 5 people are seen by only one camera, the first is"):
        load_viper(tmp_path)
    make_files(tmp_path, ["cam_b/004.bmp"])
    with pytest.raises(ValueError, match=r"file name '004\.bmp' in .*cam_b does not say .*000_45\.bmp"):
        load_viper(tmp_path)
    with pytest.raises(ValueError, match="has no split -1"):
        load_viper(make_files(tmp_path / "whole", SMALL), split=-1)


def test_the_splits_that_torchreid_drew(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path / "VIPeR", SMALL)
    names = [name for name in SMALL if name.endswith(".bmp") and "._" not in name]
    elsewhere = [[f"/home/someone/viper/VIPeR/{name}", 0, 0] for name in names]
    first = {
        "train": elsewhere[:4],
        "query": elsewhere[4::2],
        "gallery": elsewhere[5::2],
        "num_train_pids": 2,
    }
    (tmp_path / "splits.json").write_text(
        json.dumps([first, {**first, "query": [["cam_a/999_0.bmp", 0, 0]]}])
    )
    dataset = load_viper(tmp_path, community=True)
    assert dataset.name == "viper_community"
    assert {sample.pid for sample in dataset.train} == {1, 2}
    assert {(sample.pid, sample.camid) for sample in dataset.query} == {(3, 0), (4, 0), (5, 0)}
    assert {(sample.pid, sample.camid) for sample in dataset.gallery} == {(3, 1), (4, 1), (5, 1)}
    with pytest.raises(
        ValueError, match=r"split 1 of .* lists 'cam_a/999_0\.bmp' in query: expected images of V"
    ):
        load_viper(tmp_path, split=1, community=True)
