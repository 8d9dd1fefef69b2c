from __future__ import annotations

import sys
from pathlib import Path

import pytest

from reid_gl.data.datasets.own.table import load_table
from reid_gl.data.datasets.own.table_files import find_tables, implied_split, read_rows, read_titles


def write_parquet(file: Path, **columns: list[object]) -> Path:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.table(columns), file)
    return file


def test_which_table_is_meant(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no table in .*: expected dataset\.csv, one file ending in"):
        find_tables(tmp_path)
    for name in ("mine.tsv", "notes.txt", "card.json", "notes.md", ".hidden.csv"):
        (tmp_path / name).touch()
    assert find_tables(tmp_path) == [tmp_path / "mine.tsv"]
    assert find_tables(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
    (tmp_path / "b.PARQUET").touch()
    with pytest.raises(
        ValueError, match=r"2 tables in .*, b\.PARQUET, mine\.tsv: give the one you mean, call it"
    ):
        find_tables(tmp_path)
    (tmp_path / "dataset.csv").touch()
    assert find_tables(tmp_path) == [tmp_path / "dataset.csv"]
    assert find_tables(tmp_path / "b.PARQUET") == [tmp_path / "b.PARQUET"]
    with pytest.raises(ValueError, match=r"notes\.md is not a table: expected a file ending in \.csv, \.tsv"):
        find_tables(tmp_path / "notes.md")
    with pytest.raises(FileNotFoundError, match=r"nowhere does not exist: give a file ending in"):
        find_tables(tmp_path / "nowhere")


def test_a_table_for_each_split(tmp_path: Path) -> None:
    for name in ("query.csv", "gallery.txt", "train.json", "readme.txt"):
        (tmp_path / name).touch()
    assert [path.name for path in find_tables(tmp_path)] == ["train.json", "query.csv", "gallery.txt"]
    assert [implied_split(name) for name in ("a/query.csv", "query2.csv")] == ["query", ""]
    (tmp_path / "query.tsv").touch()  # which of the two?
    with pytest.raises(ValueError, match=r"2 tables in .*, query\.csv, query\.tsv: give the one you mean"):
        find_tables(tmp_path)


def test_lists_separated_by_spaces(tmp_path: Path) -> None:
    path = tmp_path / "query.txt"
    path.write_text("\na/b.jpg   3  0\n\nc.jpg 4 1\n")
    assert read_titles(path) == ["path", "pid", "camid"]
    assert list(read_rows(path, ["path", "pid", "camid"], ["pid", "camid"])) == [
        ("line 2", {"pid": "3", "camid": "0"}),
        ("line 4", {"pid": "4", "camid": "1"}),
    ]
    path.write_text("pid path\n3 a.jpg\n4 two words.jpg\n")
    assert read_titles(path) == ["pid", "path"]
    with pytest.raises(
        ValueError, match=r"line 3 of .* has 3 cells for 2 titles: a path in such a list has no"
    ):
        list(read_rows(path, ["pid", "path"], ["pid"]))
    for line in ("a.jpg", "a.jpg 1 2 3"):
        path.write_text(f"{line}\n")
        with pytest.raises(ValueError, match=r"line 1 of .* has \d parts: expected path pid and, optionally"):
            read_titles(path)


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'\r\npath , pid,note\r\na.jpg,1,"two\r\nlines"\r\n\r\n b.jpg ,2,\r\n')
    assert read_titles(path) == ["path", "pid", "note"]
    assert list(read_rows(path, ["path", "pid", "note"], ["pid", "path"])) == [
        ("line 4", {"pid": "1", "path": "a.jpg"}),
        ("line 6", {"pid": "2", "path": "b.jpg"}),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"a\.csv is empty: expected a line of titles and a line for each image"),
        (b"\xef\xbb\xbf\r\n , \n", r"a\.csv is empty"),
        (b"path,pid,path\n", "has two columns called 'path': rename or remove one"),
        (
            "path,pid\n".encode("utf-16"),
            r"a\.csv is not UTF-8 text \(invalid start byte\): save it in UTF-8",
        ),
        ("path,Zoë\n".encode("latin-1"), "is not UTF-8 text"),
        (b"path," + b"x" * 200_000, "line 1 of .* cannot be read: field larger than field limit"),
    ],
)
def test_files_that_cannot_be_read(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_titles(tmp_path / "a.csv")


def test_parquet_reads_as_csv_does(tmp_path: Path) -> None:
    names = ["a.jpg", "b c.jpg", "ü.jpg"]
    for name in names:
        (tmp_path / name).touch()
    path = write_parquet(
        tmp_path / "mine.parquet",
        path=[*names, None],
        pid=[7, 9, 9, None],
        camid=[0.0, float("nan"), 2.0, None],
        split=["train", "query", "gallery", None],
        x1=[1, None, None, None],
        y1=[2, None, None, None],
        x2=[3.0, None, None, None],
        y2=[4, None, None, None],
        feature=[[0.5], [0.5], [0.5], [0.5]],
    )
    (tmp_path / "mine.csv").write_text(
        "path,pid,camid,split,x1,y1,x2,y2\n"
        "a.jpg,7,0,train,1,2,3,4\nb c.jpg,9,,query,,,,\nü.jpg,9,2,gallery,,,,\n",
        encoding="utf-8",
    )
    assert load_table(path) == load_table(tmp_path / "mine.csv")
    assert load_table(path).train[0].box == (1, 2, 3, 4)


def test_rows_of_parquet_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").touch()
    path = write_parquet(tmp_path / "m.parquet", path=["a.jpg", "../b"], pid=["x", "y"], split=["train"] * 2)
    with pytest.raises(ValueError, match=r"row 2 of .*m\.parquet: path '\.\./b' leaves the folder"):
        load_table(path)
    path = write_parquet(tmp_path / "n.parquet", path=["a.jpg"], person=["x"], split=["train"])
    with pytest.raises(ValueError, match=r"n\.parquet has no column 'pid': .*; rename 'person'"):
        load_table(path)


def test_what_is_no_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"path,pid,split\n")
    with pytest.raises(ValueError, match=r"a\.parquet is not a Parquet file \(.*\): write it again"):
        read_titles(path)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(
        ImportError, match=r"a\.parquet needs pyarrow \(.*\): pip install 'reid_gl\[parquet\]', or"
    ):
        read_titles(path)


@pytest.mark.parametrize(
    ("pid", "message"),
    [
        ([[1, 2]], "column 'pid' of .* holds list<.*>: expected text or numbers"),
        ([b"x"], "column 'pid' of .* holds binary: expected text or numbers"),
        (["x" * 200_000], "column 'pid' of .* has a cell of more than 131,072 bytes"),
    ],
)
def test_cells_of_parquet_that_are_no_short_text(tmp_path: Path, pid: list[object], message: str) -> None:
    path = write_parquet(tmp_path / "a.parquet", path=["a.jpg"], pid=pid)
    with pytest.raises(ValueError, match=message):
        list(read_rows(path, ["path", "pid"], ["path", "pid"]))


def test_damaged_parquet(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", path=[f"{i}.jpg" for i in range(99)], pid=list(range(99)))
    data = path.read_bytes()
    path.write_bytes(data[:40] + bytes(60) + data[100:])
    with pytest.raises(ValueError, match=r"a\.parquet is damaged \(.*\): write it again"):
        list(read_rows(path, ["path", "pid"], ["path", "pid"]))


def test_a_million_columns(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text(",".join(["x"] * 100_000) + "\n")
    with pytest.raises(ValueError, match=r"a\.csv has 100,000 columns, more than 10,000 are not read"):
        read_titles(path)
