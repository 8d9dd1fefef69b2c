from __future__ import annotations

import logging
from pathlib import Path

import pytest

from reid_gl.data.datasets.own.own_data import LabelledImage
from reid_gl.data.preparing.labelled_tables import read_labelled_table

KAGGLE = "Image,Id\n0000e88ab.jpg,w_f48451c\n0001f9222.jpg,new_whale\n00029d126.jpg,w_c3d896a\n"
WILDLIFE = (
    "image_id,identity,path,date,camera,split,bbox\n"
    'a1,bruno,images/1.jpg,2021-05-02,north,train,"[0, 0, 9, 9]"\n'
    "a2,kaja,images/2.jpg,2021-05-01,south,test,\n"
    "a3,kaja,images/3.jpg,2021-05-02,,test,\n"
)


def make_table(folder: Path, text: str, names: list[str], name: str = "train.csv") -> Path:
    for image in names:
        (folder / image).parent.mkdir(parents=True, exist_ok=True)
        (folder / image).touch()
    (folder / name).write_text(text)
    return folder / name


def test_kaggle_with_the_images_in_a_folder_of_their_own(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    names = [f"train/{line.split(',')[0]}" for line in KAGGLE.splitlines()[1:]]
    table = make_table(tmp_path, KAGGLE, names)
    images = read_labelled_table(table, columns={}, image_folder=tmp_path / "train", leave_out=["new_whale"])
    assert images == [
        LabelledImage(f"{tmp_path}/train/0000e88ab.jpg", "w_f48451c"),
        LabelledImage(f"{tmp_path}/train/00029d126.jpg", "w_c3d896a"),
    ]
    assert "Image is path, Id is pid" in caplog.text
    with pytest.raises(FileNotFoundError, match=r"3 of the 3 images named in .*train\.csv \(as paths from"):
        read_labelled_table(table, columns={})
    with pytest.raises(ValueError, match=r"lists no image but those to leave out"):
        read_labelled_table(table, columns={}, leave_out=["new_whale", "w_f48451c", "w_c3d896a"])


def test_metadata_of_wildlife_datasets(tmp_path: Path) -> None:
    table = make_table(tmp_path, WILDLIFE, [f"images/{number}.jpg" for number in (1, 2, 3)])
    images = read_labelled_table(table, columns={})
    found = [(Path(i.path).name, i.identity, i.split, i.camid, i.date) for i in images]
    assert found == [
        ("1.jpg", "bruno", "train", 0, 1),
        ("2.jpg", "kaja", "test", 1, 0),
        ("3.jpg", "kaja", "test", -1, 1),
    ]


def test_columns_by_name(tmp_path: Path) -> None:
    table = make_table(tmp_path, "who,what,path,label,class\nx,a.jpg,b.jpg,1,2\n", ["a.jpg"])
    (image,) = read_labelled_table(table, columns={"path": "what", "pid": "who"})
    assert image == LabelledImage(f"{tmp_path}/a.jpg", "x")
    with pytest.raises(
        ValueError, match=r"pid could be label or class in .*: say which, .*--columns pid=label"
    ):
        read_labelled_table(table, columns={})
    with pytest.raises(ValueError, match=r"has no such column: pid=whom, colour=who; expected one of path, "):
        read_labelled_table(table, columns={"pid": "whom", "colour": "who"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "who,where\nx,a.jpg\n",
            r"no column for path and pid among who, where: say which .*--columns path=who",
        ),
        ("image,id\n../a.jpg,1\n", r"line 2 of .* names the image '\.\./a\.jpg': expected a path inside"),
        ("image,id\na.jpg,\n", r"line 2 of .*: pid is missing"),
        ("image,id\n", r"lists no image$"),
    ],
)
def test_tables_that_do_not_do(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_labelled_table(make_table(tmp_path, text, []), columns={})
