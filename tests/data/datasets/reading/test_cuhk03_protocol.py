from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.reading.cuhk03_protocol import FIELDS, find_protocol, load_extracted, protocol_name

MakeFiles = Callable[[Path, Iterable[str]], Path]
FILES = ["1_001_1_01.png", "1_001_2_06.png", "1_002_1_01.png", "1_002_2_06.png", "1_002_2_07.png"]
PROTOCOL: dict[str, Any] = {
    "filelist": np.array(FILES, dtype=object)[:, None],
    "labels": np.array([[1], [1], [300], [300], [300]], dtype=np.uint16),
    "camId": np.array([[1], [2], [1], [2], [2]], dtype=np.uint8),
    "train_idx": np.array([[2], [1]], dtype=np.uint16),
    "query_idx": np.array([[3]], dtype=np.uint16),
    "gallery_idx": np.array([[5], [4]], dtype=np.uint16),
}


@pytest.fixture
def extracted(tmp_path: Path, make_files: MakeFiles) -> Path:
    folder = make_files(tmp_path / "around" / "images", (f"labeled/{name}" for name in FILES))
    savemat(folder / protocol_name("labeled"), PROTOCOL)
    return folder


def test_splits_by_indices_from_one(extracted: Path) -> None:
    dataset = load_extracted(extracted, "labeled", "mine")
    assert dataset.name == "mine"
    parts = (dataset.train, dataset.query, dataset.gallery)
    assert [[Path(sample.path).name for sample in part] for part in parts] == [
        FILES[:2],
        FILES[2:3],
        FILES[3:],
    ]
    assert [[(sample.pid, sample.camid) for sample in part] for part in parts] == [
        [(1, 0), (1, 1)],
        [(300, 0)],
        [(300, 1), (300, 1)],
    ]
    assert Path(dataset.query[0].path).parent == extracted / "labeled"


def test_the_protocol_may_lie_up_to_two_folders_above(extracted: Path) -> None:
    path = extracted / protocol_name("labeled")
    for folder in (extracted, extracted.parent, extracted.parent.parent):
        path = path.rename(folder / path.name)
        assert find_protocol(extracted, "labeled") == path
    assert find_protocol(extracted, "detected") is None


def test_without_protocol_the_file_is_named(extracted: Path) -> None:
    (extracted / protocol_name("labeled")).unlink()
    with pytest.raises(FileNotFoundError, match=r"config_labeled\.mat is neither in .*copy it there"):
        load_extracted(extracted, "labeled", "mine")


def test_missing_images_are_named(extracted: Path) -> None:
    (extracted / "labeled" / FILES[3]).unlink()
    with pytest.raises(FileNotFoundError, match=rf"1 of the 5 images named in .*labeled.mat .*{FILES[3]}"):
        load_extracted(extracted, "labeled", "mine")


@pytest.mark.parametrize("key", FIELDS)
def test_a_missing_field_is_named(extracted: Path, key: str) -> None:
    savemat(extracted / protocol_name("labeled"), {name: PROTOCOL[name] for name in FIELDS if name != key})
    with pytest.raises(ValueError, match=f"labeled.mat lacks {key}: expected the protocol file"):
        load_extracted(extracted, "labeled", "mine")


@pytest.mark.parametrize(("key", "value"), [("query_idx", [0]), ("gallery_idx", [6]), ("camId", [1, 2])])
def test_fields_that_do_not_fit_together(extracted: Path, key: str, value: list[int]) -> None:
    savemat(extracted / protocol_name("labeled"), {**PROTOCOL, key: np.array(value)})
    with pytest.raises(ValueError, match=r"does not fit together: expected .*indices from 1"):
        load_extracted(extracted, "labeled", "mine")
