from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.sensereid import load_sensereid
from tests.torchreid_quiet import import_torchreid_quietly

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = ["test_probe/00000_0.jpg", "test_probe/00000_1.jpg", "test_probe/00017_1.jpg"]
NAMES += [f"test_gallery/{person:05}_{camera}.jpg" for person in (0, 3, 17) for camera in (0, 1)]
NAMES += ["test_gallery/list.txt"]


@pytest.mark.parametrize("probe", ["test_probe", "test_prob"])
@pytest.mark.parametrize("home", ["", "SenseReID", "sensereid/SenseReID"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_files: MakeFiles, home: str, probe: str
) -> None:
    make_files(tmp_path / home, [name.replace("test_probe", probe) for name in NAMES])
    dataset = load_sensereid(tmp_path)
    for part in ("", probe, "test_gallery"):
        assert load_sensereid(tmp_path / home / part) == dataset
    assert dataset.name == "sensereid"
    assert dataset.train == ()
    assert [(sample.pid, sample.camid) for sample in dataset.query] == [(1, 0), (1, 1), (18, 1)]
    assert [(sample.pid, sample.camid) for sample in dataset.gallery] == [
        (pid, camera) for pid in (1, 4, 18) for camera in (0, 1)
    ]


def test_agrees_with_torchreid(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path / "sensereid" / "SenseReID", NAMES)
    peer = import_torchreid_quietly("torchreid.reid.data.datasets.image.sensereid")
    ours, theirs = load_sensereid(tmp_path), peer.SenseReID(root=str(tmp_path), verbose=False)
    for samples, items in ((ours.query, theirs.query), (ours.gallery, theirs.gallery)):
        assert [(sample.path, sample.camid) for sample in samples] == sorted((i[0], i[2]) for i in items)


@pytest.mark.parametrize("name", ["00001.jpg", "a_1.jpg", "00001_1_2.jpg"])
def test_a_strange_name_is_told(tmp_path: Path, make_files: MakeFiles, name: str) -> None:
    make_files(tmp_path, [*NAMES, f"test_gallery/{name}"])
    with pytest.raises(
        ValueError, match=rf"file name '{name}' in .*test_gallery does not say .*00001_0\.jpg"
    ):
        load_sensereid(tmp_path)


def test_a_missing_and_an_empty_folder(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, NAMES[:3])
    with pytest.raises(FileNotFoundError, match=r"(?s)SenseReID is not in.*which lacks test_gallery"):
        load_sensereid(tmp_path)
    (tmp_path / "test_gallery").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no image in .*test_gallery"):
        load_sensereid(tmp_path)
