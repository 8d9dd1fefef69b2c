from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.extract_many import FeatureParts, part_path
from reid_gl.inference.bulk.feature_tables import arrow_table, write_npz, write_parquet

FEATURES = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
VALID = np.array([True, False, True, True, True])
CROPS = CropList(
    "five",
    paths=("a.jpg", "b.jpg", "b.jpg", "ü.jpg", "d.jpg"),
    columns={"frames": np.array([1, 2, 2, 3, 9]), "confidences": np.array([0.5, 1, 1, 1, 0.25])},
    boxes=np.arange(20.0).reshape(5, 4),
)


@pytest.fixture
def parts(tmp_path: Path) -> FeatureParts:
    """Two rows a part."""
    for start in range(0, 5, 2):
        rows = slice(start, start + 2)
        np.savez(part_path(tmp_path, start), features=FEATURES[rows], valid=VALID[rows])
    return FeatureParts(tmp_path, 5, 3, 2)


def test_npz(parts: FeatureParts, tmp_path: Path) -> None:
    path = tmp_path / "new" / "features.npz"
    write_npz(path, CROPS, parts)
    with np.load(path, allow_pickle=False) as stored:
        assert np.array_equal(stored["features"], FEATURES)
        assert stored["features"].dtype == np.float32
        assert stored["paths"].tolist() == list(CROPS.paths)
        assert stored["frames"].tolist() == [1, 2, 2, 3, 9]
        assert np.array_equal(stored["boxes"], CROPS.boxes)
        assert stored["valid"].tolist() == VALID.tolist()
        assert set(stored) == {"features", "paths", "frames", "confidences", "boxes", "valid"}
    assert [file.name for file in path.parent.iterdir()] == ["features.npz"]


def test_npz_of_whole_images_has_no_flags(parts: FeatureParts, tmp_path: Path) -> None:
    write_npz(tmp_path / "features.npz", CropList("five", CROPS.paths), parts)
    with np.load(tmp_path / "features.npz", allow_pickle=False) as stored:
        assert set(stored) == {"features", "paths"}


def test_parquet(parts: FeatureParts, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    write_parquet(tmp_path / "features.parquet", CROPS, parts)
    table = parquet.read_table(tmp_path / "features.parquet")
    assert table.column_names == [
        *("feature", "path", "frame", "confidence", "valid"),
        *("x1", "y1", "x2", "y2"),
    ]
    columns = table.to_pydict()
    assert np.array_equal(np.array(columns["feature"], dtype=np.float32), FEATURES)
    assert columns["path"] == list(CROPS.paths)
    assert columns["valid"] == VALID.tolist()
    assert columns["y1"] == [1, 5, 9, 13, 17]
    assert table.schema.field("frame").type == "int64"
    assert table.schema.field("feature").type.list_size == 3


def test_rejected_rows_are_in_neither(parts: FeatureParts, tmp_path: Path) -> None:
    parts = replace(parts, rejected={1: "broken", 4: "missing"})
    crops = CROPS.select(np.array([True, False, True, True, False]))
    write_npz(tmp_path / "features.npz", crops, parts)
    with np.load(tmp_path / "features.npz", allow_pickle=False) as stored:
        assert np.array_equal(stored["features"], FEATURES[[0, 2, 3]])
        assert stored["paths"].tolist() == ["a.jpg", "b.jpg", "ü.jpg"]
        assert stored["valid"].tolist() == [True, True, True]
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    write_parquet(tmp_path / "features.parquet", crops, parts)
    columns = parquet.read_table(tmp_path / "features.parquet").to_pydict()
    assert np.array_equal(np.array(columns["feature"], dtype=np.float32), FEATURES[[0, 2, 3]])
    assert columns["path"] == ["a.jpg", "b.jpg", "ü.jpg"]
    assert columns["frame"] == [1, 2, 3]


def test_parquet_without_pyarrow(
    parts: FeatureParts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"Parquet needs pyarrow .*pip install 'reid_gl\[parquet\]'"):
        write_parquet(tmp_path / "features.parquet", CROPS, parts)
    assert not (tmp_path / "features.parquet").exists()


def test_a_file_that_fails_does_not_appear(parts: FeatureParts, tmp_path: Path) -> None:
    part_path(tmp_path, 4).unlink()
    with pytest.raises(ValueError, match="is broken"):
        write_npz(tmp_path / "features.npz", CropList("five", CROPS.paths), parts)
    assert not [path for path in tmp_path.iterdir() if "features" in path.name]


def test_clothes_and_days_keep_their_titles() -> None:
    pytest.importorskip("pyarrow")
    groups = {"clothes": np.arange(5), "dates": np.arange(5), "camids": np.arange(5)}
    table = arrow_table(CropList("five", CROPS.paths, columns=groups), FEATURES, VALID)
    assert table.column_names == ["feature", "path", "clothes", "date", "camid"]
