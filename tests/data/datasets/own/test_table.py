from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.datasets.own.table import load_table
from reid_gl.data.loading.images import crop_box
from reid_gl.records import Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]
MakeTable = Callable[..., Path]
NAMES = ("a.jpg", "b.jpg", "c.jpg", "d.jpg", "deep/e.jpg")
GOOD = "path,pid,camid,split\na.jpg,1,0,train\nb.jpg,2,0,query\nc.jpg,2,1,gallery\n"


@pytest.fixture
def make_table(tmp_path: Path, make_files: MakeFiles) -> MakeTable:
    """Write a table beside its images: make_table(text, name="dataset.csv", encoding="utf-8")."""

    def make(text: str, name: str = "dataset.csv", encoding: str = "utf-8") -> Path:
        make_files(tmp_path, NAMES)
        (tmp_path / name).write_bytes(text.encode(encoding))
        return tmp_path / name

    return make


def test_by_hand(make_table: MakeTable) -> None:
    table = make_table(
        "path,pid,camid,split,x1,y1,x2,y2,tracklet\n"
        "deep/e.jpg,0012,3,train,,,,,\n"
        "./b.jpg,7,,query,1,2,30.0,40,5\n"
        "c.jpg,7,2,gallery,-4,0,9,9,\n"
        "c.jpg,0,2,gallery,5,0,9,9,\n"
        "d.jpg,-1,2,gallery,,,,,\n"
    )
    root = table.parent
    dataset = load_table(table)
    assert dataset.train == (Sample(f"{root}/deep/e.jpg", 12, 3),)
    assert dataset.query == (Sample(f"{root}/b.jpg", 7, -1, (1, 2, 30, 40), 5),)
    assert dataset.gallery == (
        Sample(f"{root}/c.jpg", 7, 2, (-4, 0, 9, 9)),
        Sample(f"{root}/c.jpg", 0, 2, (5, 0, 9, 9)),
    )
    assert (dataset.name, dataset.ks) == (root.name, ())
    assert load_table(str(root)) == dataset


def test_columns_in_any_order_and_the_least_there_may_be(
    make_table: MakeTable, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = load_table(
        make_table("split,path,pid\ntrain,a.jpg,1\nquery,b.jpg,2\ngallery,c.jpg,2\n", "mine.csv")
    )
    assert [(s.pid, s.camid, s.box, s.tracklet) for s in dataset.gallery] == [(2, -1, None, -1)]
    assert dataset.name == "mine"
    assert "mine: 3 of 3 images in" in caplog.text
    assert "have no camera" in caplog.text


def test_names_of_cameras_clothes_and_days_and_rows_to_ignore(make_table: MakeTable) -> None:
    table = make_table(
        "path,pid,split,camid,tracklet,clothes,date,ignore\n"
        "a.jpg,1,train,hall,,red,2021-05-02,\n"
        "b.jpg,2,query,door,4,blue,,no\n"
        "c.jpg,2,gallery,hall,5,red,2021-05-01,0\n"
        "missing.jpg,?,?,,,,,TRUE\n"
    )
    dataset = load_table(table)
    (train,), (query,), (gallery,) = dataset.train, dataset.query, dataset.gallery
    assert (train.camid, train.tracklet, train.clothes, train.date) == (1, -1, 1, 1)
    assert (query.camid, query.tracklet, query.clothes, query.date) == (0, 4, 0, -1)
    assert (gallery.camid, gallery.tracklet, gallery.clothes, gallery.date) == (1, 5, 1, 0)
    with pytest.raises(ValueError, match=r"line 2 of .*: ignore must be true, false or empty, got 'maybe'"):
        load_table(make_table("path,pid,split,ignore\na.jpg,1,train,maybe\n"))


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".txt"])
def test_a_file_for_each_split_needs_no_column(make_table: MakeTable, tmp_path: Path, suffix: str) -> None:
    separator = {".csv": ",", ".tsv": "\t", ".txt": "  "}[suffix]
    titles = ["path", "pid", "camid"] if suffix != ".txt" else []
    parts = {"train": ["a.jpg 1 0"], "query": ["b.jpg 2 0"], "gallery": ["b.jpg 2 0", "c.jpg 2 1"]}
    for split, rows in parts.items():
        lines = [separator.join(cells) for cells in ([titles] if titles else []) + [r.split() for r in rows]]
        make_table("\n".join(lines), f"{split}{suffix}")
    dataset = load_table(tmp_path)
    assert [len(part) for part in (dataset.train, dataset.query, dataset.gallery)] == [1, 1, 2]
    assert dataset.gallery[0] == dataset.query[0]  # the same image may be in the two lists
    assert dataset.name == tmp_path.name
    alone = load_table(tmp_path / f"query{suffix}")
    assert (alone.query, alone.gallery, alone.name) == (dataset.query, (), "query")


def test_coco_with_identities(make_table: MakeTable) -> None:
    content = {
        "images": [
            {"id": 1, "file_name": "a.jpg", "split": "train", "camera": "hall"},
            {"id": 2, "file_name": "b.jpg", "split": "query", "camera": "door"},
            {"id": 3, "file_name": "c.jpg", "split": "gallery", "camera": "hall"},
        ],
        "annotations": [
            {"id": 1, "image_id": 1, "bbox": [1.4, 2, 3, 4.2], "identity": 7},
            {"id": 2, "image_id": 2, "bbox": [0, 0, 5, 5], "attributes": {"person_id": 9}},
            {"id": 3, "image_id": 3, "bbox": [0, 0, 5, 5], "identity": 9, "clothes": "red"},
            {"id": 4, "image_id": 3, "bbox": [5, 0, 5, 5], "identity": 9, "iscrowd": 1},
        ],
    }
    table = make_table(json.dumps(content), "people.json")
    dataset = load_table(table)
    root = table.parent
    assert dataset.train == (Sample(f"{root}/a.jpg", 7, 1, (1, 2, 4, 6)),)
    assert dataset.query == (Sample(f"{root}/b.jpg", 9, 0, (0, 0, 5, 5)),)
    assert dataset.gallery == (Sample(f"{root}/c.jpg", 9, 1, (0, 0, 5, 5), clothes=0),)


ROLES = "path,pid,split,is_query,is_gallery\n"


def test_an_image_that_is_query_and_gallery(make_table: MakeTable) -> None:
    rows = "a.jpg,1,train,,\nb.jpg,2,validation,True,True\nc.jpg,2,test,False,1\nd.jpg,3,query,yes,\n"
    dataset = load_table(make_table(ROLES + rows))
    names = {
        part: [Path(s.path).name for s in getattr(dataset, part)] for part in ("train", "query", "gallery")
    }
    assert names == {"train": ["a.jpg"], "query": ["b.jpg", "d.jpg"], "gallery": ["b.jpg", "c.jpg"]}
    assert dataset.query[0] == dataset.gallery[0]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            "a.jpg,1,test,,",
            "line 2 of .*: split is 'test', but is_query and is_gallery say neither: correct one",
        ),
        ("a.jpg,1,train,true,", "split is 'train', but is_query and is_gallery say query"),
        ("a.jpg,1,query,,true", "split is 'query', but is_query and is_gallery say gallery"),
        ("a.jpg,1,test,maybe,", "line 2 of .*: is_query must be true, false or empty, got 'maybe'"),
    ],
)
def test_roles_that_disagree(make_table: MakeTable, row: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_table(make_table(f"{ROLES}{row}\n"))


def test_names_of_people_are_numbered(make_table: MakeTable, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    dataset = load_table(
        make_table("path,pid,camid,split\na.jpg,zoë,0,train\nb.jpg,anna k,0,query\nc.jpg,anna k,1,gallery\n")
    )
    assert [s.pid for s in (*dataset.train, *dataset.query, *dataset.gallery)] == [2, 1, 1]
    assert "'anna k' is 1, 'zoë' is 2" in caplog.text


@pytest.mark.parametrize(
    ("odd", "message"),
    [
        (
            "unknown",
            "identity 'unknown' of .*b.jpg is not a whole number, and identity '-1' of .*c.jpg marks junk",
        ),
        ("nan", r"line 3 of .*: pid is missing \(got 'nan'\): fill it in or remove the line"),
        ("NULL", r"pid is missing \(got 'NULL'\)"),
        ("1E+14", "pid '1E\\+14' is a number that a spreadsheet has shortened"),
        ("1.2E+07", "pid '1.2E\\+07' is a number that a spreadsheet has shortened"),
    ],
)
def test_one_odd_identity_does_not_turn_junk_into_a_person(
    make_table: MakeTable, odd: str, message: str
) -> None:
    text = f"path,pid,split\na.jpg,1,train\nb.jpg,{odd},query\nc.jpg,-1,gallery\nd.jpg,2,gallery\n"
    with pytest.raises(ValueError, match=message):
        load_table(make_table(text))


def test_a_distractor_among_names_is_refused(make_table: MakeTable) -> None:
    text = "path,pid,split\na.jpg,anna,train\nb.jpg,bob,query\nc.jpg,0,gallery\nd.jpg,1,gallery\n"
    with pytest.raises(ValueError, match=r"identity 'anna' of .* and 1 more is not .* marks a distractor"):
        load_table(make_table(text))


def test_only_queries_make_image_retrieval(make_table: MakeTable) -> None:
    dataset = load_table(make_table("path,pid,split\na.jpg,1,train\nb.jpg,2,query\nc.jpg,2,query\n"))
    assert (len(dataset.query), dataset.gallery, dataset.ks) == (2, (), (1, 2, 4, 8))


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", "\r"),
        "\ufeff" + GOOD.replace("\n", "\r\n"),
        GOOD.rstrip("\n"),
        GOOD.replace("\n", "\n\n").replace("1,0", " 1 , 0 "),
        GOOD + ",,,\r\n , ,,\n",
        GOOD.replace("path,pid", '"path", "pid"').replace("c.jpg", ' "c.jpg"'),
        GOOD.replace(",2,", ",2.0,").replace(",1,", ",1.0,"),
    ],
)
def test_what_other_programs_write(make_table: MakeTable, text: str) -> None:
    dataset = load_table(make_table(text))
    found = [(Path(s.path).name, s.pid, s.camid) for s in (*dataset.train, *dataset.query, *dataset.gallery)]
    assert found == [("a.jpg", 1, 0), ("b.jpg", 2, 0), ("c.jpg", 2, 1)]


def test_tabs_separate_in_tsv_and_names_may_be_odd(tmp_path: Path, make_files: MakeFiles) -> None:
    names = ("an image, of Zoë.jpg", "日本/x y.jpg", 'the "best".jpg', "a..b.jpg")
    make_files(tmp_path, names)
    quoted = [f'"{name}"'.replace('the "best"', 'the ""best""') for name in names]
    rows = [f"{name}{{0}}{pid}{{0}}gallery" for pid, name in enumerate(quoted, start=1)]
    text = "\n".join(("path{0}pid{0}split", *rows))
    expected = sorted(f"{tmp_path}/{name}" for name in names)
    for name, separator in (("mine.csv", ","), ("mine.TSV", "\t")):
        (tmp_path / name).write_text(text.format(separator), encoding="utf-8")
        assert [sample.path for sample in load_table(tmp_path / name).gallery] == expected


def test_a_table_of_nothing_but_ignored_rows(make_table: MakeTable) -> None:
    table = make_table("path,pid,split,ignore\na.jpg,1,train,1\nb.jpg,2,query,yes\n", "dataset.csv")
    with pytest.raises(ValueError, match=r"ignore is true in every row of .*dataset\.csv: expected an image"):
        load_table(table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (",1,0,train", r"line 2 of .*dataset\.csv: path must name an image, got ''"),
        (".,1,0,train", r"line 2 of .*: path must name an image, got '\.'"),
        ("/etc/a.jpg,1,0,train", r"path '/etc/a\.jpg' is absolute: write it as seen from"),
        (r"C:\photos\a.jpg,1,0,train", r"path 'C:.*' is absolute"),
        ("../a.jpg,1,0,train", r"path '\.\./a\.jpg' leaves the folder of the table, .*: move the table or"),
        (r"..\outside\a.jpg,1,0,train", "leaves the folder of the table"),
        ("deep/../../a.jpg,1,0,train", "leaves the folder of the table"),
        ("out/a.jpg,1,0,train", r"line 2 of .*: path 'out/a\.jpg' leaves the folder of the table"),
        ("out.jpg,1,0,train", r"path 'out\.jpg' leaves the folder of the table"),
        ("a.jpg,,0,train", r"line 2 of .*: pid is missing \(got ''\)"),
        ("a.jpg,-2,0,train", "pid must be a name or a whole number from -1, got '-2'"),
        ("a.jpg,1,1.5,train", r"line 2 of .*: camid must be a name, a whole number from 0, .* got '1\.5'"),
        ("a.jpg,1,-2,train", "camid must be a name, a whole number from 0, .* got '-2'"),
        (
            "a.jpg,1,0,test",
            r"split must be one of train, query, gallery, got 'test'; .* \(query\) or searched",
        ),
        ("a.jpg,1,0,Train", "split must be one of train, query, gallery, got 'Train'; nearest: 'train'"),
        ("a.jpg,1,0,galery", "got 'galery'; nearest: 'gallery'"),
        ("a.jpg,1,0,", "line 2 of .*: split must be one of train, query, gallery, got ''$"),
        ("a.jpg,1,0", "line 2 of .* has 3 cells for 4 titles"),
        ("a.jpg,1,0,train,9", 'has 5 cells for 4 titles: put a cell that holds a separator into "quotes"'),
        (
            "a.jpg,1,0,train\n\nb.jpg,2,0,query\n./a.jpg,1,1,train",
            r"line 5 of .* names the same image as line 2, '\./a\.jpg': remove one of them",
        ),
        (
            "a.jpg,1,0,train\nb.jpg,1,1,gallery",
            r"identity '1' is in train \(.*a\.jpg\) and in gallery \(.*b\.jpg",
        ),
        ('a.jpg,1,0,"train', "line 2 of .* cannot be read: unexpected end of data"),
        ("", r"has titles but no line below them: expected a line for each image"),
    ],
)
def test_bad_lines_are_named(make_table: MakeTable, tmp_path: Path, text: str, message: str) -> None:
    table = make_table(f"path,pid,camid,split\n{text}\n", "dataset.csv")
    inner = tmp_path / "inner"
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "a.jpg").touch()
    inner.mkdir()
    for name in ("a.jpg", "b.jpg"):
        (inner / name).touch()
    (inner / "out").symlink_to(tmp_path / "outside")
    (inner / "out.jpg").symlink_to(tmp_path / "outside" / "a.jpg")
    with pytest.raises(ValueError, match=message):
        load_table(table.rename(inner / "dataset.csv"))


@pytest.mark.parametrize(
    ("box", "message"),
    [
        (
            "5,0,5,9",
            r"line 2 of .*: box \(5, 0, 5, 9\) is empty or outside the image: expected x1 < x2 and y1",
        ),
        ("0,9,5,2", r"box \(0, 9, 5, 2\) is empty or outside"),
        ("-9,0,0,9", r"box \(-9, 0, 0, 9\) is empty or outside the image"),
        ("1,2,,4", "x2 must be a whole number of pixels, got ''"),
        ("1,2,3.5,4", r"line 2 of .*: x2 must be a whole number of pixels, got '3\.5'"),
        ("left,2,3,4", "x1 must be a whole number of pixels, got 'left'"),
        ("1,nan,3,4", "y1 must be a whole number of pixels, got 'nan'"),
    ],
)
def test_boxes_that_hold_nothing(make_table: MakeTable, box: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_table(make_table(f"path,pid,split,x1,y1,x2,y2\na.jpg,1,train,{box}\n"))


def test_a_box_outside_its_image_is_refused_when_the_image_is_read(make_table: MakeTable) -> None:
    table = make_table("path,pid,split,x1,y1,x2,y2\na.jpg,1,train,100,0,120,9\n")
    (sample,) = load_table(table).train
    assert sample.box is not None
    with pytest.raises(ValueError, match=r"box \(100, 0, 120, 9\) does not overlap image .*a\.jpg"):
        crop_box(np.zeros((50, 50, 3), np.uint8), sample.box, name=sample.path)


def test_boxes_of_one_image_differ(make_table: MakeTable) -> None:
    rows = "a.jpg,1,train,0,0,9,9\na.jpg,2,train,5,0,9,9\n"
    assert len(load_table(make_table(f"path,pid,split,x1,y1,x2,y2\n{rows}")).train) == 2
    with pytest.raises(ValueError, match=r"line 4 of .* names the same image and box as line 2"):
        load_table(make_table(f"path,pid,split,x1,y1,x2,y2\n{rows}a.jpg,3,train,0,0,9.0,9\n"))


def test_images_that_do_not_exist(make_table: MakeTable) -> None:
    with pytest.raises(
        FileNotFoundError,
        match=r"1 of the 2 images named in .*dataset\.csv \(as paths from .*, with / between folders\) do "
        r"not exist, the first is .*deep/f\.jpg",
    ):
        load_table(make_table("path,pid,split\na.jpg,1,train\ndeep\\f.jpg,1,train\n"))


@pytest.mark.parametrize("printed", ["deep\\e.jpg", ".\\deep\\e.jpg", "deep/.\\e.jpg"])
def test_backslashes_between_folders(make_table: MakeTable, tmp_path: Path, printed: str) -> None:
    (sample,) = load_table(make_table(f"path,pid,split\n{printed},1,train\n")).train
    assert sample.path == f"{tmp_path}/deep/e.jpg"
    (tmp_path / printed).touch()  # a file of that very name
    (sample,) = load_table(tmp_path / "dataset.csv").train
    assert Path(sample.path) == tmp_path / printed


def test_a_link_inside_the_folder_is_fine(make_table: MakeTable, tmp_path: Path) -> None:
    table = make_table("path,pid,split\nlink/e.jpg,1,train\nf.jpg,1,train\n")
    (tmp_path / "link").symlink_to(tmp_path / "deep")
    (tmp_path / "f.jpg").symlink_to("a.jpg")
    assert [Path(sample.path).name for sample in load_table(table).train] == ["f.jpg", "e.jpg"]
