from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.mot.to_reid import COLUMNS
from reid_gl.data.preparing.write_dataset import write_csv
from reid_gl.inference.bulk.crop_lists import list_crops
from reid_gl.records import ReidDataset, Sample
from tests.conftest import WriteNoise
from tests.made_up_videos import claim_frames, noise_frames, write_sequence, write_video

DET = "3,-1,5,6,10,20,0.5,-1,-1,-1\n1,-1,1,1,8,9,0.9,-1,-1,-1\n3,-1,7,6,10,20,0.25,-1,-1,-1\n"


def test_a_folder_is_searched_to_the_bottom_in_order(tmp_path: Path, write_noise: WriteNoise) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b.jpg", "sub/a.PNG", "a.jpeg", ".hidden.jpg"):
        write_noise(name)
    (tmp_path / "notes.txt").write_text("no image")
    crops = list_crops(tmp_path)
    assert crops.paths == tuple(str(tmp_path / name) for name in ("a.jpeg", "b.jpg", "sub/a.PNG"))
    assert crops.boxes is None
    assert list(crops.arrays()) == ["paths"]
    assert len(crops) == 3


def test_rows_of_a_csv_file(tmp_path: Path) -> None:
    path = tmp_path / "crops.csv"
    path.write_text(
        "pid, path,x1,y1,x2,y2,camid,frame\n7,a.jpg,1,2,30.5,40,0,3\n\n-1,/b/c.jpg,-5,0,9,9,1,4\n"
    )
    crops = list_crops(path)
    assert crops.paths == (str(tmp_path / "a.jpg"), "/b/c.jpg")
    assert crops.boxes is not None
    assert crops.boxes.tolist() == [[1, 2, 30.5, 40], [-5, 0, 9, 9]]
    assert {name: column.tolist() for name, column in crops.columns.items()} == {
        "pids": [7, -1],
        "camids": [0, 1],
        "frames": [3, 4],
    }
    path.write_text("path\na.jpg\n")
    assert list_crops(path).paths == (str(tmp_path / "a.jpg"),)
    assert list_crops(path).boxes is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: expected a line of titles"),
        ("path,x1,y1\na.jpg,1,2\n", "line 1 of .* has no column 'x2', 'y2': expected path and, or not, pid"),
        ("path,pid,pid\na.jpg,1,2\n", "two columns called 'pid'"),
        ("pid,file\n1,a.jpg\n", r"line 1 of .*crops\.csv has no column 'path': .*; rename 'file'"),
        (
            "path,camid\na.jpg,hall\n",
            r"line 2 of .*crops\.csv: camid must be a whole number from 0, or empty",
        ),
        ("path,frame\na.jpg,\n", "line 2 of .*: frame must be a whole number, got ''"),
        ("path,pid\na.jpg,\n", "line 2 of .*: pid is missing"),
        ("path,pid\na.jpg,1.2E+07\n", "pid '1.2E.07' is a number that a spreadsheet has shortened"),
        ("path,pid\na.jpg,anna\nb.jpg,-1\n", "identity 'anna' of .* is no whole number, and identity '-1'"),
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
        ("path\n", "contains no images, rows or boxes to compute features of"),
    ],
)
def test_csv_files_that_cannot_be_used(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "crops.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        list_crops(tmp_path / "crops.csv")


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
    crops = list_crops(tmp_path / "dataset.csv")
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
    crops = list_crops(tmp_path / "crops.csv")
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
        crops = list_crops(tmp_path / name)
        assert [Path(path).resolve() for path in crops.paths] == [tmp_path / "deep" / "a.jpg"] * 2
        assert crops.columns["pids"].tolist() == [2, 1]


def test_a_video_whole_or_by_boxes(tmp_path: Path) -> None:
    path = write_video(tmp_path / "noise.mkv", noise_frames(10))
    assert list_crops(path).columns["frames"].tolist() == list(range(1, 11))
    assert list_crops(path, stride=4).columns["frames"].tolist() == [1, 5, 9]
    boxes = tmp_path / "found.txt"
    boxes.write_text(DET)
    crops = list_crops(path, boxes=boxes)
    assert crops.columns["frames"].tolist() == [1, 3, 3]
    assert crops.columns["ids"].tolist() == [-1, -1, -1]
    assert crops.columns["confidences"].tolist() == [0.9, 0.5, 0.25]
    assert crops.boxes is not None
    assert crops.boxes.tolist() == [[0, 0, 8, 9], [4, 5, 14, 25], [6, 5, 16, 25]]  # counted from 0
    boxes.write_text(DET.replace("3,-1", "11,-1"))
    with pytest.raises(ValueError, match=r"line 1 .*the sequence has 10 frames only"):
        list_crops(path, boxes=boxes)
    boxes.write_text("1,-1,0.1,0.2,0.3,0.5,1\n")
    with pytest.raises(ValueError, match="boxes must be in pixels"):
        list_crops(path, boxes=boxes)


@pytest.mark.parametrize("claimed", [7, 13])
def test_a_video_is_as_long_as_it_can_be_decoded(claimed: int, tmp_path: Path) -> None:
    path = claim_frames(write_video(tmp_path / "noise.avi", noise_frames(10)), claimed)
    assert list_crops(path).columns["frames"].tolist() == list(range(1, 11))
    boxes = tmp_path / "det.txt"
    boxes.write_text("10,-1,1,1,8,9,0.9\n")
    assert list_crops(path, boxes=boxes).columns["frames"].tolist() == [10]
    boxes.write_text("10,-1,1,1,8,9,0.9\n14,-1,1,1,8,9,0.9\n")
    with pytest.raises(ValueError, match=r"line 2: the sequence has 10 frames only"):
        list_crops(path, boxes=boxes)


def test_a_sequence_by_detections_or_by_ground_truth(tmp_path: Path) -> None:
    gt = "2,9,1,1,8,9,1,1,0.7\n1,9,1,1,8,9,1,1,1\n1,8,1,1,8,9,0,1,1\n1,7,1,1,8,9,1,3,1\n"
    folder = write_sequence(tmp_path / "MOT-01", noise_frames(3), det=DET, gt=gt)
    crops = list_crops(folder)
    assert crops.name == "MOT-01"
    assert crops.paths == tuple(str(folder / "img1" / f"00000{frame}.png") for frame in (1, 3, 3))
    assert crops.columns["frames"].tolist() == [1, 3, 3]
    truth = list_crops(folder, boxes=folder / "gt" / "gt.txt")
    assert truth.columns["frames"].tolist() == [1, 2]  # a car and somebody to be ignored are left out
    assert truth.columns["ids"].tolist() == [9, 9]
    (folder / "det" / "det.txt").unlink()
    assert np.array_equal(list_crops(folder).columns["ids"], [9, 9])
    (folder / "img1" / "000002.png").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"gt\.txt has boxes in 1 frames without an image.*000002\.png"
    ):
        list_crops(folder)


def test_ground_truth_in_place_of_detections_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gt = "1,9,1,1,8,9,0.5,1,-1\n1,7,1,1,8,9,1,3,1\n"
    folder = write_sequence(tmp_path / "MOT-01", noise_frames(3), det=DET, gt=gt)
    list_crops(folder)
    list_crops(folder, boxes=folder / "gt" / "gt.txt")
    assert not caplog.messages
    (folder / "det" / "det.txt").unlink()
    assert list_crops(folder).columns["ids"].tolist() == [9]
    assert caplog.messages == [
        f"{folder / 'det' / 'det.txt'} does not exist: boxes and ids are those of the ground truth, "
        f"{folder / 'gt' / 'gt.txt'}; give other boxes with --boxes"
    ]
    assert list_crops(folder, classes=(3,)).columns["ids"].tolist() == [7]
    assert list_crops(folder, classes=(1, 3)).columns["ids"].tolist() == [9, 7]
    (folder / "gt" / "gt.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"det\.txt does not exist"):
        list_crops(folder)


def test_classes_belong_to_ground_truth(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "MOT-01", noise_frames(3), det=DET)
    with pytest.raises(
        ValueError, match=r"classes need ground truth, .* got .*det\.txt: leave the classes out"
    ):
        list_crops(folder, classes=(3,))
    with pytest.raises(ValueError, match=r"classes need the boxes of a ground truth, .* without boxes"):
        list_crops(folder / "img1", classes=(3,))


def test_errors(tmp_path: Path, write_noise: WriteNoise) -> None:
    picture = write_noise("a.jpg")
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        list_crops(tmp_path / "nowhere")
    with pytest.raises(
        ValueError,
        match=r"a\.jpg is not a folder, a table \(\.csv, \.tsv, \.parquet\) or a video \(\.mp4, ",
    ):
        list_crops(picture)
    with pytest.raises(ValueError, match=r"boxes det\.txt need a video or a MOT Challenge sequence"):
        list_crops(tmp_path, boxes="det.txt")
    for stride in (0, 2):
        with pytest.raises(ValueError, match=f"stride must be at least 1, .* got {stride}"):
            list_crops(tmp_path, stride=stride)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty contains no images, rows or boxes to compute features of"):
        list_crops(tmp_path / "empty")
    (tmp_path / "half" / "img1").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"seqinfo\.ini does not exist"):
        list_crops(tmp_path / "half")
