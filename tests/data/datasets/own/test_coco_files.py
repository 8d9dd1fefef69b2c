from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.data.datasets.own.coco_files import CocoTable

IMAGES = [{"id": 1, "file_name": "a.jpg", "camera": 3}, {"id": "x", "file_name": "b.jpg"}]


def make(folder: Path, annotations: object, images: object = IMAGES) -> Path:
    path = folder / "people.json"
    path.write_text(json.dumps({"images": images, "annotations": annotations}))
    return path


def test_cells_come_from_the_annotation_its_attributes_or_its_image(tmp_path: Path) -> None:
    annotations = [
        {"image_id": 1, "bbox": [1.5, 2.4, 10, 20.2], "track_id": 5},
        {"image_id": "x", "pid": "anna", "track_id": 6, "attributes": {"clothes": "red"}, "iscrowd": 0},
    ]
    table = CocoTable(make(tmp_path, annotations))
    assert table.titles == ["path", "pid", "camid", "tracklet", "clothes", "ignore", "x1", "y1", "x2", "y2"]
    rows = list(table.rows(table.titles))
    assert rows[0] == (
        1,
        {"path": "a.jpg", "pid": "5", "camid": "3", "tracklet": "5", "clothes": "", "ignore": ""}
        | {"x1": "2", "y1": "2", "x2": "12", "y2": "23"},
    )
    assert rows[1][1]["pid"] == "anna"
    assert [rows[1][1][title] for title in ("clothes", "ignore", "x1")] == ["red", "0", ""]


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (
            [{"image_id": 1, "category_id": 1}],
            r"no annotation of .* has an identity: expected one of the keys",
        ),
        ([{"image_id": 7, "pid": 1}], r"annotation 1 of .* belongs to image 7: expected the 'id' of one of"),
        ([{"image_id": [1], "pid": 1}], r"belongs to image \[1\]"),
        ([{"image_id": 1, "pid": 1, "bbox": [1, 2, 3]}], r"has the bbox \[1, 2, 3\]: expected \[x, y, width"),
        ([{"image_id": 1, "pid": 1, "bbox": [1, 2, 3, 1e400]}], "expected .x, y, width, height"),
        ("none", "is not a COCO file: expected the lists 'images' and 'annotations'"),
    ],
)
def test_annotations_that_do_not_do(tmp_path: Path, annotations: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        list((table := CocoTable(make(tmp_path, annotations))).rows(table.titles))


@pytest.mark.parametrize("text", ["{", "[]", '{"images": [], "annotations": [1]}', "[" * 100_000])
def test_files_that_are_no_coco(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"a\.json is not (JSON|a COCO file)"):
        CocoTable(path)


def test_an_image_without_a_name(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"image 1 of .* lacks 'id' or 'file_name'"):
        CocoTable(make(tmp_path, [], [{"id": 1}]))
