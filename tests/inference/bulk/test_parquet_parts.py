from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.parquet_parts import (
    PLAN_FILE,
    Part,
    PartRecord,
    PartWriter,
    part_path,
    read_record,
    remove_unfinished,
    write_part,
)
from reid_gl.inference.bulk.row_digests import digest_rows
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.conftest import WriteNoise
from tests.tracking.coloured_people import ColourRuntime

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

FEATURES = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
VALID = np.array([True, False, False])
REASONS = np.array(["", "", "c.jpg is broken"])
CROPS = CropList(
    "three",
    ("a.jpg", "b.jpg", "c.jpg"),
    columns={"pids": np.array([7, 8, 9]), "splits": np.array(["query", "gallery", "train"])},
    boxes=np.arange(12.0).reshape(3, 4),
)


class _Extractors:
    """Counts how many were made."""

    def __init__(self) -> None:
        self.made = 0

    def __call__(self) -> FeatureExtractor:
        self.made += 1
        return FeatureExtractor(ColourRuntime(), batch_size=2)


def test_columns_and_record_of_a_part(tmp_path: Path) -> None:
    path = part_path(tmp_path, 2048)
    write_part(path, CROPS, FEATURES, VALID, REASONS, "digest")
    assert [file.name for file in tmp_path.iterdir()] == ["part-000000002048.parquet"]
    columns = parquet.read_table(path).to_pydict()
    assert np.array_equal(np.array(columns.pop("feature"), np.float32), FEATURES[:2])
    assert columns == {
        "path": ["a.jpg", "b.jpg"],
        "pid": [7, 8],
        "split": ["query", "gallery"],
        "valid": [True, False],
        **{"x1": [0, 4], "y1": [1, 5], "x2": [2, 6], "y2": [3, 7]},
    }
    assert read_record(path) == PartRecord("digest", 4, 1, {2: "c.jpg is broken"})


def test_a_part_without_a_readable_row_has_the_columns_of_the_others(tmp_path: Path) -> None:
    write_part(tmp_path / "a.parquet", CROPS, FEATURES, VALID, REASONS, "a")
    write_part(tmp_path / "b.parquet", CROPS, FEATURES, VALID, np.array(["broken"] * 3), "b")
    schemas = [parquet.read_schema(tmp_path / name).remove_metadata() for name in ("a.parquet", "b.parquet")]
    assert schemas[0] == schemas[1]
    assert parquet.read_table(tmp_path).num_rows == 2


def test_a_broken_part_has_no_digest(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    for content in (b"", b"PAR1 and no more"):
        path.write_bytes(content)
        assert read_record(path) == PartRecord()
    parquet.write_table(arrow.table({"path": ["a"]}), path)  # of another program
    assert read_record(path) == PartRecord()


def test_a_writer_makes_its_extractor_once(tmp_path: Path, write_noise: WriteNoise) -> None:
    paths = tuple(str(write_noise(f"{seed}.jpg", seed=seed)) for seed in range(3))
    crops = CropList("three", paths)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / PLAN_FILE).write_text("{}")
    make = _Extractors()
    writer = PartWriter(make, tmp_path / "out", batch_size=2, skip=False)
    assert make.made == 0
    assert writer.write(Part(0, crops.rows(0, 2))) == writer.write(Part(2, crops.rows(2, 3))) == ""
    assert make.made == 1
    table = parquet.read_table(tmp_path / "out")
    assert table["path"].to_pylist() == list(paths)
    assert np.array_equal(table["feature"].to_pylist(), make()(list(paths)))
    assert read_record(part_path(tmp_path / "out", 2)).digest == digest_rows(crops, 2, 3)


def test_what_a_writer_answers_if_it_cannot(tmp_path: Path, write_noise: WriteNoise) -> None:
    part = Part(0, CropList("one", (str(tmp_path / "none.jpg"),)))
    writer = PartWriter(_Extractors(), tmp_path, batch_size=2, skip=False)
    assert f"does not see {tmp_path}: choose an output on a file system" in writer.write(part)
    (tmp_path / PLAN_FILE).write_text("{}")
    assert "none.jpg does not exist" in writer.write(part)
    assert [path.name for path in tmp_path.iterdir()] == [PLAN_FILE]

    def no_weights() -> FeatureExtractor:
        return FeatureExtractor(tmp_path / "none.ckpt")

    whole = Part(0, CropList("one", (str(write_noise("a.jpg")),)))
    assert "none.ckpt" in PartWriter(no_weights, tmp_path, batch_size=2, skip=False).write(whole)


def test_leftovers_of_killed_workers(tmp_path: Path) -> None:
    (tmp_path / ".part-000000000000.0a1b2c3d.partial").write_text("half")
    (tmp_path / "part-000000000000.parquet").write_text("whole")
    remove_unfinished(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["part-000000000000.parquet"]
