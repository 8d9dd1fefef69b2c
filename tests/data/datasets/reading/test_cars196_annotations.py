from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.reading.cars196_annotations import read_annotations
from reid_gl.records import Sample


def write(path: Path, rows: Sequence[tuple[Any, Any]], fields: tuple[str, str] = ("fname", "class")) -> Path:
    annotations = np.zeros(
        (1, len(rows)), dtype=[("bbox_x1", object), *((field, object) for field in fields)]
    )
    for place, row in enumerate(rows):
        annotations[0, place] = (np.uint8(7), *row)
    savemat(path, {"annotations": annotations, "class_names": np.array(["a", "b"], dtype=object)})
    return path


@pytest.mark.parametrize("number", [np.uint8, np.uint16, np.float64])
def test_reads_the_rows_in_their_order(tmp_path: Path, number: type) -> None:
    path = write(tmp_path / "x.mat", [("b ü.jpg", number(196)), ("car_ims/a.jpg", number(1))])
    assert read_annotations(path, Path("/cars"), "fname") == [
        Sample("/cars/b ü.jpg", 196),
        Sample("/cars/car_ims/a.jpg", 1),
    ]


def test_reads_a_single_row(tmp_path: Path) -> None:
    path = write(tmp_path / "x.mat", [("a.jpg", 3)], ("relative_im_path", "class"))
    assert read_annotations(path, Path("/cars"), "relative_im_path") == [Sample("/cars/a.jpg", 3)]


@pytest.mark.parametrize("value", [0, 197, -1, 1.5, np.nan, "1", [], [1, 2]])
def test_a_strange_class_is_named(tmp_path: Path, value: Any) -> None:
    path = write(tmp_path / "x.mat", [("a.jpg", 1), ("b.jpg", value)])
    with pytest.raises(
        ValueError, match=r"annotation 2 of .*x\.mat has the class .*: expected a number from 1 to"
    ):
        read_annotations(path, tmp_path, "fname")


@pytest.mark.parametrize("name", [7, [], ["a.jpg", "b.jpg"]])
def test_a_strange_name_is_named(tmp_path: Path, name: Any) -> None:
    path = write(tmp_path / "x.mat", [(np.array(name, dtype=object) if isinstance(name, list) else name, 1)])
    with pytest.raises(
        ValueError, match=r"annotation 1 of .* has the fname .*: expected the name of an image"
    ):
        read_annotations(path, tmp_path, "fname")


@pytest.mark.parametrize("name", ["../a.jpg", "/a.jpg", ".."])
def test_paths_out_of_the_folder_are_refused(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / "x.mat", [("a.jpg", 1), (name, 2)])
    with pytest.raises(
        ValueError, match=rf"annotation 2 of .*x\.mat names the image '{name}': expected a path"
    ):
        read_annotations(path, tmp_path, "fname")


def test_a_file_without_labels_or_annotations_is_refused(tmp_path: Path) -> None:
    message = r"x\.mat lacks a struct array 'annotations' with the fields fname and class: .*one with labels"
    path = write(tmp_path / "x.mat", [("a.jpg", 1)], ("fname", "other"))
    with pytest.raises(ValueError, match=message):
        read_annotations(path, tmp_path, "fname")
    for content in ({"annotations": np.arange(3)}, {"labels": np.arange(3)}):
        savemat(path, content)
        with pytest.raises(ValueError, match=message):
            read_annotations(path, tmp_path, "fname")


@pytest.mark.parametrize("length", [0, 60, 200, 400])
def test_a_cut_or_foreign_file_is_refused(tmp_path: Path, length: int) -> None:
    path = write(tmp_path / "x.mat", [("a.jpg", 1), ("b.jpg", 2)])
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(ValueError, match=r"x\.mat cannot be read as a MATLAB file: .*; copy it again"):
        read_annotations(path, tmp_path, "fname")
    path.write_text("no MATLAB file at all\n" * 20, encoding="utf-8")
    with pytest.raises(ValueError, match=r"x\.mat cannot be read as a MATLAB file"):
        read_annotations(path, tmp_path, "fname")
