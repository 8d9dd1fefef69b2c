from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.mot.to_reid import COLUMNS
from reid_gl.data.preparing.write_dataset import write_csv
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.crop_tables import plural, read_crop_table, singular
from reid_gl.records import ReidDataset, Sample


def read(table: Path) -> CropList:
    paths, columns, boxes = read_crop_table(table)
    return CropList(table.name, paths, None, columns, boxes)


def test_rows_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "crops.csv"
    path.write_text(
        "pid, path,x1,y1,x2,y2,camid,frame\n7,a.jpg,1,2,30.5,40,0,3\n\n-1,/b/c.jpg,-5,0,9,9,1,4\n"
    )
    crops = read(path)
    assert crops.paths == (str(tmp_path / "a.jpg"), "/b/c.jpg")
    assert crops.boxes is not None
    assert crops.boxes.tolist() == [[1, 2, 30.5, 40], [-5, 0, 9, 9]]
    assert {name: column.tolist() for name, column in crops.columns.items()} == {
        "pids": [7, -1],
        "camids": [0, 1],
        "frames": [3, 4],
    }
    path.write_text("path\na.jpg\n")
    assert read(path).paths == (str(tmp_path / "a.jpg"),)
    assert read(path).boxes is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: expected a line of titles"),
        (
            "path,x1,y1\na.jpg,1,2\n",
            "line 1 of .* has no column 'x2', 'y2': expected path and, optionally, pid",
        ),
        ("path,pid,pid\na.jpg,1,2\n", "two columns called 'pid'"),
        ("pid,file\n1,a.jpg\n", r"line 1 of .*crops\.csv has no column 'path': .*; rename 'file'"),
        (
            "path,camid\na.jpg,1.5\n",
            r"line 2 of .*crops\.csv: camid must be a name, a whole number from 0, or empty",
        ),
        ("path,frame\na.jpg,\n", "line 2 of .*: frame must be a whole number, got ''"),
        ("path,pid\na.jpg,\n", "line 2 of .*: pid is missing"),
        ("path,pid\na.jpg,1.2E+07\n", "pid '1.2E.07' is a number that a spreadsheet has shortened"),
        (
            "path,pid\na.jpg,anna\nb.jpg,-1\n",
            "identity 'anna' of .* is not a whole number, and identity '-1'",
        ),
        ("path,split\na.jpg,galery\n", "split must be one of .* nearest: 'gallery'"),
        (
            "path,x1,y1,x2,y2\na.jpg,1,2,3,four\n",
            "line 2 of .*: x1, y1, x2, y2 must be four numbers .* 1,2,3,four",
        ),
        ("path,x1,y1,x2,y2\na.jpg,1,2,3,4\nb.jpg,1,2,3,nan\n", "line 3 of .*: x1, y1, x2, y2 must be four"),
        ("path,x1,y1,x2,y2\na.jpg,1,2,,4\n", "must be four numbers in pixels, or empty"),
        ("path,pid\na.jpg\n", "line 2 of .* has 1 cells for 2 titles"),
        ("path,pid\n,3\n", "line 2 of .*: path is empty"),
        ("path,x1,y1,x2,y2\na.jpg,.1,.2,.5,.9\n", r"boxes must be in pixels, got \[0\.1, 0\.2, 0\.5, 0\.9\]"),
    ],
)
def test_csv_files_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "crops.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read(tmp_path / "crops.csv")


def test_tables_of_make_split_and_of_mot_to_reid(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    samples = [
        Sample(str(tmp_path / f"{name}.jpg"), pid, camid, box, tracklet)
        for name, pid, camid, box, tracklet in (
            ("a", 7, 0, None, -1),
            ("b", 7, -1, (1, 2, 3, 4), 5),
            ("c", 9, 1, None, -1),
        )
    ]
    write_csv(ReidDataset((samples[2],), (samples[0],), (samples[1],)), tmp_path / "dataset.csv")
    crops = read(tmp_path / "dataset.csv")
    assert crops.paths == tuple(samples[row].path for row in (2, 0, 1))
    assert crops.boxes is not None
    assert np.isnan(crops.boxes[:2]).all()
    assert crops.boxes[2].tolist() == [1, 2, 3, 4]
    assert {name: column.tolist() for name, column in crops.columns.items()} == {
        "pids": [9, 7, 7],
        "camids": [1, 0, -1],
        "splits": ["train", "query", "gallery"],
        "tracklets": [-1, -1, 5],
    }
    assert not caplog.messages
    caplog.set_level("INFO")
    row = ["a.jpg", 7, 0, "MOT-01", 3, 10, 20, 30, 40, 0.5, "query"]
    (tmp_path / "crops.csv").write_text("\n".join(",".join(map(str, line)) for line in (COLUMNS, row)))
    crops = read(tmp_path / "crops.csv")
    assert {name: column.tolist() for name, column in crops.columns.items()} == {
        "pids": [7],
        "camids": [0],
        "splits": ["query"],
        "frames": [3],
    }
    assert crops.boxes is None  # the image is the crop; where it was in the frame is another matter
    assert "columns that are not read: 'sequence', 'frame_x1'" in caplog.text


def test_names_backslashes_and_other_files(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "a.jpg").touch()
    text = "path{0}pid\ndeep\\a.jpg{0}zoe\n.\\deep\\a.jpg{0}anna\n"
    for name, separator in (("people.csv", ","), ("people.tsv", "\t")):
        (tmp_path / name).write_text(text.format(separator))
        crops = read(tmp_path / name)
        assert [Path(path).resolve() for path in crops.paths] == [tmp_path / "deep" / "a.jpg"] * 2
        assert crops.columns["pids"].tolist() == [2, 1]


def test_names_of_cameras_are_numbered_as_in_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "crops.csv").write_text("path,camid,tracklet\na.jpg,hall,7\nb.jpg,door,\nc.jpg,,8\n")
    _, columns, _ = read_crop_table(tmp_path / "crops.csv")
    assert columns["camids"].tolist() == [1, 0, -1]
    assert columns["tracklets"].tolist() == [7, -1, 8]


def test_clothes_and_days_are_columns(tmp_path: Path) -> None:
    (tmp_path / "crops.csv").write_text("path,pid,clothes,date\na.jpg,1,red,3\nb.jpg,1,,\nc.jpg,2,blue,4\n")
    _, columns, _ = read_crop_table(tmp_path / "crops.csv")
    assert columns["clothes"].tolist() == [1, -1, 0]
    assert columns["dates"].tolist() == [3, -1, 4]
    assert {singular(name) for name in columns} == {"pid", "clothes", "date"}
    assert {plural(singular(name)) for name in columns} == set(columns)
