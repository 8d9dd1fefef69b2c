from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.inference.bulk.crop_lists import CropList, list_crops
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
    with pytest.raises(ValueError, match=r"line 1 .*the sequence has only 10 frames"):
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
    with pytest.raises(ValueError, match=r"line 2: the sequence has only 10 frames"):
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


def test_classes_of_ground_truth(tmp_path: Path) -> None:
    gt = "1,9,1,1,8,9,0.5,1,-1\n1,7,1,1,8,9,1,3,1\n"
    folder = write_sequence(tmp_path / "MOT-01", noise_frames(3), gt=gt)
    assert list_crops(folder).columns["ids"].tolist() == [9]
    assert list_crops(folder, classes=(3,)).columns["ids"].tolist() == [7]
    assert list_crops(folder, classes=(1, 3)).columns["ids"].tolist() == [9, 7]
    with pytest.raises(ValueError, match=r"classes need the boxes of a ground truth, .* without boxes"):
        list_crops(folder / "img1", classes=(3,))


def test_errors(tmp_path: Path, write_noise: WriteNoise) -> None:
    image = write_noise("a.jpg")
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        list_crops(tmp_path / "nowhere")
    (tmp_path / "v.avi").symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"v\.avi is a link to nothing$"):
        list_crops(tmp_path / "v.avi")
    with pytest.raises(
        ValueError,
        match=r"a\.jpg is not a folder, a table \(\.csv, \.tsv, \.parquet\) or a video \(\.mp4, ",
    ):
        list_crops(image)
    with pytest.raises(ValueError, match=r"boxes det\.txt need a video or a MOT Challenge sequence"):
        list_crops(tmp_path, boxes="det.txt")
    for stride in (0, 2):
        with pytest.raises(ValueError, match=f"stride must be at least 1, .* got {stride}"):
            list_crops(tmp_path, stride=stride)
    (tmp_path / "empty").mkdir()
    (tmp_path / "titles.csv").write_text("path\n")
    for name in ("empty", "titles.csv"):
        with pytest.raises(
            ValueError, match=f"{name} contains no images, rows or boxes to compute features of"
        ):
            list_crops(tmp_path / name)
    (tmp_path / "half" / "img1").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=r"seqinfo\.ini does not exist"):
        list_crops(tmp_path / "half")


def test_a_range_of_rows() -> None:
    columns = {"pids": np.array([7, 8, 9])}
    crops = CropList("three", ("a.jpg", "b.jpg", "c.jpg"), columns=columns, boxes=np.eye(3, 4))
    rows = crops.rows(1, 3)
    assert (rows.name, rows.paths, len(rows)) == ("three", ("b.jpg", "c.jpg"), 2)
    assert rows.columns["pids"].tolist() == [8, 9]
    assert rows.boxes is not None
    assert rows.boxes.tolist() == [[0, 1, 0, 0], [0, 0, 1, 0]]
    assert CropList("two", ("a.jpg",)).rows(0, 1).boxes is None
    assert list(crops.rows(1, 1).arrays()) == ["paths", "pids", "boxes"]  # no rows, but all columns


def test_absolute_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    crops = CropList("two", ("./a.jpg", "/b.jpg"), columns={"pids": np.arange(2)}).with_absolute_paths()
    assert crops.paths == (str(tmp_path / "a.jpg"), "/b.jpg")
    assert list(crops.columns) == ["pids"]


def test_a_table_in_a_store(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table({"path": ["/a.jpg"], "camid": [2]}), tmp_path / "list.parquet")
    uri = (tmp_path / "list.parquet").as_uri()
    crops = list_crops(uri)
    assert (crops.name, crops.paths, crops.columns["camids"].tolist()) == ("list", ("/a.jpg",), [2])
    with pytest.raises(ValueError, match="boxes, classes and stride do not apply to file:///"):
        list_crops(uri, stride=2)
    parquet.write_table(arrow.table({"path": arrow.array([], arrow.string())}), tmp_path / "list.parquet")
    with pytest.raises(ValueError, match="contains no images, rows or boxes"):
        list_crops(uri)
