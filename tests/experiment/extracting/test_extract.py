from __future__ import annotations

import csv
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.data.loading.images import UnreadableImageError
from reid_gl.experiment.extracting.extract import choose_format, extract_to_file
from reid_gl.inference.bulk.crop_lists import CropList, list_crops
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.made_up_videos import noise_frames, write_sequence, write_video
from tests.tracking.coloured_people import ColourRuntime

DET = "2,-1,11,5,10,20,0.5,-1,-1,-1\n1,-1,3,4,8,9,0.75,-1,-1,-1\n2,-1,99,4,8,9,0.25,-1,-1,-1\n"


@pytest.fixture
def crops(tmp_path: Path) -> CropList:
    return list_crops(write_sequence(tmp_path / "MOT-01", noise_frames(2), det=DET))


def _extract(crops: CropList, output: Path, **settings: Any) -> dict[str, Any]:
    return extract_to_file(
        crops,
        output,
        lambda: FeatureExtractor(ColourRuntime()),
        identity={"weights": "colours"},
        reid_name="colours",
        batch_size=2,
        **settings,
    )


def _expected() -> np.ndarray:
    """Features of the three boxes, ordered by frame; the last one lies outside and is taken for black."""
    frames = noise_frames(2)
    crops = [frames[0][3:12, 2:10], frames[1][4:24, 10:20], np.zeros((4, 4, 3), np.uint8)]
    return FeatureExtractor(ColourRuntime(), color_order="rgb")(crops)


def test_npz_and_nothing_else_is_left(crops: CropList, tmp_path: Path) -> None:
    summary = _extract(crops, tmp_path / "out" / "features.npz")
    assert summary == {
        "output": str(tmp_path / "out" / "features.npz"),
        "format": "npz",
        "rows": 3,
        "embedding_dim": 24,
        "boxes_outside": 1,
        "rejected": 0,
        "rejects_file": None,
    }
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["features.npz"]
    with np.load(tmp_path / "out" / "features.npz") as stored:
        assert np.array_equal(stored["features"][:2], _expected()[:2])
        assert not stored["features"][2].any()
        assert stored["valid"].tolist() == [True, True, False]
        assert stored["frames"].tolist() == [1, 2, 2]


def test_deep_sort_as_it_reads_it(crops: CropList, tmp_path: Path) -> None:
    _extract(crops, tmp_path / "MOT-01.npy")
    table = np.load(tmp_path / "MOT-01.npy", allow_pickle=False)
    assert table.shape == (3, 10 + 24)
    assert table[:, 0].tolist() == [1, 2, 2]
    assert table[:, 2:6].tolist() == [[3, 4, 8, 9], [11, 5, 10, 20], [99, 4, 8, 9]]  # as in det.txt
    assert table[:, 6].tolist() == [0.75, 0.5, 0.25]
    assert np.allclose(table[:, 10:], _expected())


def test_boxmots_cache(crops: CropList, tmp_path: Path) -> None:
    _extract(crops, tmp_path / "cache")
    detections = np.loadtxt(tmp_path / "cache" / "dets" / "MOT-01.txt")
    assert detections.tolist() == [
        [1, 2, 3, 10, 12, 0.75, 0],
        [2, 10, 4, 20, 24, 0.5, 0],
        [2, 98, 3, 106, 12, 0.25, 0],
    ]
    features = np.loadtxt(tmp_path / "cache" / "embs" / "colours" / "MOT-01.txt")
    assert np.allclose(features, _expected(), atol=1e-6)
    assert sorted(path.name for path in (tmp_path / "cache").iterdir()) == ["dets", "embs"]
    with pytest.raises(FileExistsError, match=r"dets/MOT-01\.txt exists: delete it"):
        _extract(crops, tmp_path / "cache")


def test_boxes_of_a_csv_file_for_deep_sort(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "MOT-01", noise_frames(2), det=DET)
    (tmp_path / "crops.csv").write_text(f"path,x1,y1,x2,y2,frame\n{folder}/img1/000001.png,2,3,10,12,1\n")
    _extract(list_crops(tmp_path / "crops.csv"), tmp_path / "crops.npy")
    table = np.load(tmp_path / "crops.npy", allow_pickle=False)
    assert table[0, :10].tolist() == [1, -1, 3, 4, 8, 9, 1, -1, -1, -1]
    assert np.allclose(table[:, 10:], _expected()[:1])


@pytest.mark.parametrize("name", ["features.npz", "MOT-01.npy", "cache"])
def test_rows_that_cannot_be_read_go_to_a_file_of_their_own(
    name: str, crops: CropList, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "MOT-01" / "img1" / "000001.png").write_bytes(b"")
    with pytest.raises(UnreadableImageError, match=r"000001\.png is empty"):
        _extract(crops, tmp_path / "out" / name)
    summary = _extract(crops, tmp_path / "out" / name, on_error="skip")
    place = tmp_path / "out" / name / "MOT-01" if name == "cache" else tmp_path / "out" / name
    rejects = place.with_name(f"{place.name}.rejects.csv")
    assert (summary["rows"], summary["rejected"], summary["rejects_file"]) == (2, 1, str(rejects))
    assert f"1 of 3 rows are skipped, see {rejects}" in caplog.text
    with rejects.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["row"], row["path"], row["frame"]) for row in rows] == [("0", crops.paths[0], "1")]
    assert "000001.png is empty (0 bytes)" in rows[0]["reason"]
    if name == "features.npz":
        with np.load(tmp_path / "out" / name) as stored:
            assert np.array_equal(stored["features"][0], _expected()[1])
            assert stored["frames"].tolist() == [2, 2]
    elif name == "MOT-01.npy":
        table = np.load(tmp_path / "out" / name, allow_pickle=False)
        assert table[:, 0].tolist() == [2, 2]
        assert np.allclose(table[:, 10:], _expected()[1:])
    else:
        features = np.loadtxt(tmp_path / "out" / name / "embs" / "colours" / "MOT-01.txt")
        assert np.allclose(features, _expected()[1:], atol=1e-6)
    with pytest.raises(FileExistsError, match="exists: delete it, or choose another output"):
        _extract(crops, tmp_path / "out" / name)
    (tmp_path / "out" / "other.npz.rejects.csv").write_text("somebody's")
    with pytest.raises(FileExistsError, match=r"other\.npz\.rejects\.csv exists"):
        _extract(crops, tmp_path / "out" / "other.npz")


def test_the_network_is_made_last(crops: CropList, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> FeatureExtractor:
        raise AssertionError("too early")

    settings: dict[str, Any] = {"identity": {}, "reid_name": "r", "batch_size": 2}
    (tmp_path / "old.npz").touch()
    with pytest.raises(FileExistsError, match=r"old\.npz exists: delete it, or choose another output"):
        extract_to_file(crops, tmp_path / "old.npz", refuse, **settings)
    video = list_crops(write_video(tmp_path / "noise.mkv", noise_frames(2)))
    for name in ("noise.npy", "noise"):
        with pytest.raises(ValueError, match=f"{name}: this format is for boxes of frames, noise has none"):
            extract_to_file(video, tmp_path / name, refuse, **settings)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="Parquet needs pyarrow"):
        extract_to_file(crops, tmp_path / "new.parquet", refuse, **settings)


def test_formats() -> None:
    names = ("a.npz", "a.parquet", "a.npy", "a")
    assert [choose_format(Path(name)) for name in names] == ["npz", "parquet", "deep_sort", "boxmot"]
    with pytest.raises(
        ValueError, match=r"cannot write a\.txt: expected \.npz, \.parquet, \.npy for deep_sort"
    ):
        choose_format(Path("a.txt"))


def test_names_that_are_not_utf_8(crops: CropList, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    shutil.copy(crops.paths[0], folder / os.fsdecode(b"a\xff.png"))
    Path(folder, os.fsdecode(b"b\xff.png")).touch()
    images = list_crops(folder)
    pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match=r"a\\udcff.png' is not UTF-8, and Parquet takes no other"):
        _extract(images, tmp_path / "a.parquet", on_error="skip")
    assert not (tmp_path / "a.parquet.parts").exists()
    _extract(images, tmp_path / "a.npz", on_error="skip")
    with np.load(tmp_path / "a.npz") as stored:
        assert stored["paths"].tolist() == [str(folder / os.fsdecode(b"a\xff.png"))]
    assert "b\\udcff.png" in (tmp_path / "a.npz.rejects.csv").read_text()
