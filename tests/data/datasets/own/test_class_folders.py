from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import astuple
from pathlib import Path

import pytest

from reid_gl.data.datasets.own.class_folders import load_class_folders, read_identity_folders
from reid_gl.records import Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]
PEOPLE = (
    *("train/0002/a.jpg", "train/0002/b.PNG", "train/11/a.jpg", "train/11/notes.txt"),
    *("query/0005/a.jpg", "gallery/0005/b.jpg", "gallery/0000/n.jpg", "gallery/-1/j.jpg"),
)


def test_numbers_are_kept(tmp_path: Path, make_files: MakeFiles) -> None:
    root = make_files(tmp_path / "mine", PEOPLE)
    dataset = load_class_folders(root)
    assert dataset.train == (
        Sample(f"{root}/train/0002/a.jpg", 2),
        Sample(f"{root}/train/0002/b.PNG", 2),
        Sample(f"{root}/train/11/a.jpg", 11),
    )
    assert dataset.query == (Sample(f"{root}/query/0005/a.jpg", 5),)
    assert dataset.gallery == (
        Sample(f"{root}/gallery/0000/n.jpg", 0),
        Sample(f"{root}/gallery/0005/b.jpg", 5),
    )
    assert (dataset.name, dataset.ks) == ("mine", ())
    assert load_class_folders(str(root / "train")) == dataset  # one of its folders will do


def test_names_are_numbered_over_all_splits(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    names = (
        "train/zoë k/a.jpg",
        "train/7/a.jpg",
        "query/anna/a.jpg",
        "gallery/anna/b.jpg",
        "gallery/東/1.jpg",
    )
    dataset = load_class_folders(make_files(tmp_path, names))
    assert [sample.pid for sample in dataset.train] == [1, 3]
    assert [sample.pid for sample in dataset.query] == [2]
    assert [(Path(sample.path).parent.name, sample.pid) for sample in dataset.gallery] == [
        ("anna", 2),
        ("東", 4),
    ]
    assert "5 of 5 images" in caplog.text
    assert "have no camera" in caplog.text


def test_train_and_test_is_image_retrieval(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    dataset = load_class_folders(
        make_files(tmp_path, ["train/cat/1.jpg", "test/dog/1.jpg", "test/dog/2.jpg"])
    )
    assert [sample.pid for sample in dataset.train] == [1]
    assert [sample.pid for sample in dataset.query] == [2, 2]
    assert dataset.gallery == ()
    assert dataset.ks == (1, 2, 4, 8)
    assert caplog.records == []  # classes have no cameras to miss


def test_classes_counted_from_0_are_numbered_from_1(tmp_path: Path, make_files: MakeFiles) -> None:
    dataset = load_class_folders(
        make_files(tmp_path, [f"train/{n}/a.jpg" for n in (0, 1)] + ["test/2/a.jpg"])
    )
    assert [sample.pid for sample in (*dataset.train, *dataset.query)] == [1, 2, 3]


def test_train_query_and_gallery_win_over_test(tmp_path: Path, make_files: MakeFiles) -> None:
    dataset = load_class_folders(make_files(tmp_path, [*PEOPLE, "test/77/a.jpg"]))
    assert len(dataset.gallery) == 2


def test_the_label_map_is_the_same_under_every_hash_seed(tmp_path: Path, make_files: MakeFiles) -> None:
    names = [
        f"{split}/{split} {n}/{p}.jpg" for split in ("train", "test") for n in range(20) for p in range(2)
    ]
    make_files(tmp_path, names)
    code = (
        "import json, sys; from dataclasses import astuple\n"
        "from reid_gl.data.datasets.own.class_folders import load_class_folders\n"
        "print(json.dumps(astuple(load_class_folders(sys.argv[1]))))"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        env={**os.environ, "PYTHONHASHSEED": "12345"},  # the seed of this process is random
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert json.loads(answer) == json.loads(json.dumps(astuple(load_class_folders(tmp_path))))
    train, query, gallery, *_ = json.loads(answer)
    assert (len(train), len(query), len(gallery)) == (40, 40, 0)
    assert [pid for _, pid, *_ in query[:4]] == [1, 1, 2, 2]  # "test 0" comes before "train 0"


def test_empty_folders_are_named_once(
    tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture
) -> None:
    make_files(tmp_path, [*PEOPLE, *(f"train/e{n}/notes.txt" for n in range(7))])
    for _ in range(2):
        load_class_folders(tmp_path)
    expected = (
        f"7 folders in {tmp_path / 'train'} hold no image and are left out: 'e0', 'e1', 'e2', 'e3', 'e4' "
        "and 2 more"
    )
    assert caplog.messages.count(expected) == 1


def test_links_in_circles_do_not_hang(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, PEOPLE)
    (tmp_path / "train" / "11" / "loop").symlink_to(tmp_path)
    assert len(load_class_folders(tmp_path).train) == 3


def test_half_of_the_identities_on_an_unmounted_disk(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, PEOPLE)
    (tmp_path / "train" / "12").symlink_to("/mnt/unmounted/12")
    with pytest.raises(FileNotFoundError, match=r"link .*12 leads nowhere \(.*\): mount the disk"):
        load_class_folders(tmp_path)


def test_a_miss_shows_the_tree(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["train/1/a.jpg", "query/2/a.jpg"])
    with pytest.raises(FileNotFoundError) as caught:
        load_class_folders(tmp_path)
    assert "a data set of class folders is not in" in str(caught.value)
    assert "train/      {identity}/*.jpg" in str(caught.value)
    assert "which lacks gallery" in str(caught.value)


@pytest.mark.parametrize("split", ["train", "query", "gallery"])
def test_a_split_without_a_image_is_refused(tmp_path: Path, make_files: MakeFiles, split: str) -> None:
    make_files(tmp_path, [name for name in PEOPLE if not name.startswith(split)])
    (tmp_path / split / "1").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match=f"no image in .*{split}: expected a folder of images for"):
        load_class_folders(tmp_path)


def test_loose_images_are_refused(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, [*PEOPLE, "query/x.jpg", "query/w.jpg"])
    with pytest.raises(ValueError, match=r"2 images lie in .*query itself, the first is 'w\.jpg': expected"):
        load_class_folders(tmp_path)
    with pytest.raises(ValueError, match="or say with a pattern which part of a name is the identity"):
        read_identity_folders(tmp_path / "query")


def test_a_class_in_train_and_test_is_refused(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["train/cat/1.jpg", "test/cat/2.jpg", "test/dog/2.jpg"])
    with pytest.raises(
        ValueError, match=r"identity 'cat' is in train \(.*1\.jpg\) and in query \(.*2\.jpg\)"
    ):
        load_class_folders(tmp_path)


def test_two_folders_of_one_number_are_refused(tmp_path: Path, make_files: MakeFiles) -> None:
    with pytest.raises(ValueError, match="identities '02' and '2' are the same number"):
        load_class_folders(make_files(tmp_path, [*PEOPLE[2:], "train/2/a.jpg", "train/02/b.jpg"]))


def test_images_deeper_in_a_folder_belong_to_it(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["anna/left/1.jpg", "anna/2.jpg", "bo/3.jpg"])
    assert [(image.identity, image.path) for image in read_identity_folders(tmp_path)] == [
        ("anna", f"{tmp_path}/anna/2.jpg"),
        ("anna", f"{tmp_path}/anna/left/1.jpg"),
        ("bo", f"{tmp_path}/bo/3.jpg"),
    ]


def test_market_folders_and_folders_of_other_names(tmp_path: Path, make_files: MakeFiles) -> None:
    renamed = {"train": "bounding_box_train", "query": "query", "gallery": "bounding_box_test"}
    names = [f"{renamed[name.split('/')[0]]}/{name.split('/', 1)[1]}" for name in PEOPLE]
    market = load_class_folders(make_files(tmp_path / "market", names))
    other = {"train": "a", "query": "b", "gallery": "c"}
    names = [f"{other[name.split('/')[0]]}/{name.split('/', 1)[1]}" for name in PEOPLE]
    root = make_files(tmp_path / "other", [*names, "extra/77/1.jpg"])
    mapped = load_class_folders(root, split_map="a=train,b=query,c=gallery,extra=ignore")
    for part in ("train", "query", "gallery"):
        found = [[sample.pid for sample in getattr(dataset, part)] for dataset in (market, mapped)]
        assert found[0] == found[1] != []
    with pytest.raises(ValueError, match=r"other: there is no split 'extra'"):
        load_class_folders(root, split_map="a=train,b=query,c=gallery")
