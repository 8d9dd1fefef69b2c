from __future__ import annotations

import sys
from pathlib import Path

import fsspec
import numpy as np
import pytest

from reid_gl.inference.bulk.remote_tables import is_uri, read_remote_table

arrow = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")


def _write(path: Path, paths: list[str]) -> Path:
    boxes = {"x1": [1, None], "y1": [2, None], "x2": [9, None], "y2": [8, None]}
    parquet.write_table(arrow.table({"path": paths, "pid": ["bo", "anna"], **boxes}), path)
    return path


def test_what_is_a_uri() -> None:
    assert is_uri("s3://bucket/list.parquet")
    assert not is_uri("folder/list.parquet")
    assert not is_uri(Path("s3://bucket/list.parquet"))


@pytest.mark.parametrize("store", ["pyarrow", "fsspec"])
def test_a_table_in_a_store(store: str, tmp_path: Path) -> None:
    file = _write(tmp_path / "list.parquet", ["/images/a.jpg", "/images/b.jpg"])
    uri = file.as_uri()
    if store == "fsspec":  # pyarrow does not know this protocol
        uri = "memory://bucket/list.parquet"
        with fsspec.open(uri, "wb") as copy:
            copy.write(file.read_bytes())
    paths, columns, boxes = read_remote_table(uri)
    assert paths == ("/images/a.jpg", "/images/b.jpg")
    assert columns["pids"].tolist() == [2, 1]
    assert boxes is not None
    assert boxes[0].tolist() == [1, 2, 9, 8]
    assert np.isnan(boxes[1]).all()


def test_mistakes_end_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"list\.csv is not a Parquet table: only \.parquet files are read"):
        read_remote_table("s3://bucket/list.csv")
    uri = _write(tmp_path / "list.parquet", ["/images/a.jpg", "b.jpg"]).as_uri()
    with pytest.raises(ValueError, match=r"contains 1 relative paths, the first is 'b\.jpg': a table in a"):
        read_remote_table(uri)
    for missing in ((tmp_path / "none.parquet").as_uri(), "memory://none.parquet", "nowhere://a.parquet"):
        with pytest.raises(ValueError, match=f"cannot read {missing} .*check the address, the access to it"):
            read_remote_table(missing)
    (tmp_path / "text.parquet").write_text("no table")
    uri = (tmp_path / "text.parquet").as_uri()
    with pytest.raises(ValueError, match=f"{uri} is not a Parquet file"):
        read_remote_table(uri)


def test_without_pyarrow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ValueError, match=r"cannot read s3://a\.parquet \(import of pyarrow halted"):
        read_remote_table("s3://a.parquet")
