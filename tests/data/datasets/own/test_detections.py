from __future__ import annotations

import logging
from pathlib import Path

import pytest

from reid_gl.data.datasets.own.detections import read_detections
from reid_gl.records import Sample

SCENES = {"/data/frames/a.jpg": 2, "/data/frames/b.jpg": -1}
TITLES = "path,x1,y1,x2,y2,score\n"


def test_boxes_by_hand(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    table = tmp_path / "boxes.csv"
    table.write_text(
        "score,class,path,x1,y1,x2,y2\n0.9,1,b.jpg,1.4,2.6,10,20\n0.5,1,C:\\x\\a.jpg,-3,0,5,6\n"
        "0.49,1,frames/a.jpg,0,0,5,6\n1,1,query/c.jpg,0,0,5,6\n"
    )
    with caplog.at_level(logging.INFO, "reid_gl"):
        boxes = read_detections(table, SCENES)
    assert boxes == (
        Sample("/data/frames/b.jpg", 0, -1, (1, 3, 10, 20)),
        Sample("/data/frames/a.jpg", 0, 2, (-3, 0, 5, 6)),
    )
    assert "2 boxes, 1 with a score below 0.5, 1 of images that are not searched" in caplog.text
    assert len(read_detections(table, SCENES, min_score=0.0)) == 3


def test_a_list_with_titles(tmp_path: Path) -> None:
    table = tmp_path / "boxes.txt"
    table.write_text("path x1 y1 x2 y2 score\na.jpg 1 2 10 20 0.8\n")
    assert read_detections(table, SCENES) == (Sample("/data/frames/a.jpg", 0, 2, (1, 2, 10, 20)),)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("path,x1,y1,x2,y2\n", r"has no column 'score': expected path, x1, y1, x2, y2, score"),
        (TITLES + "a.jpg,1,2,10,20,high\n", r"line 2 of .*: score must be a number, got 'high'"),
        (TITLES + "a.jpg,1,2,nan,20,1\n", r"line 2 of .*: x2 must be a number, got 'nan'"),
        (TITLES + "a.jpg,10,2,10,20,1\n", r"line 2 of .* has an empty box 10, 2, 10, 20: expected x1 < x2"),
        (TITLES + "c.jpg,1,2,10,20,1\n", r"0 boxes, .* 1 of images that .*: expected boxes of .* 'a\.jpg'"),
        (TITLES, r"0 boxes, 0 with a score below 0\.5, 0 of images that are not searched"),
    ],
)
def test_tables_that_do_not_do(tmp_path: Path, text: str, message: str) -> None:
    table = tmp_path / "boxes.csv"
    table.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_detections(table, SCENES)


def test_a_table_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_detections(tmp_path / "boxes.csv", SCENES)
