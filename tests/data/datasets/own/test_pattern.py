from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.market1501 import load_market1501
from reid_gl.data.datasets.own.class_folders import load_class_folders
from reid_gl.data.datasets.own.pattern import load_pattern, read_pattern
from reid_gl.records import Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]
NUMBERED = r"(?P<pid>\d+)_c(?P<camera>\d+)"


def test_the_first_folder_says_the_split(tmp_path: Path, make_files: MakeFiles) -> None:
    names = ("train/0002_c1.jpg", "query/deep/0007_c2.jpg", "gallery/0007_c5.jpg", "gallery/0000_c1.jpg")
    root = make_files(tmp_path / "mine", names)
    dataset = load_pattern(root, NUMBERED)
    assert dataset.train == (Sample(f"{root}/train/0002_c1.jpg", 2, 1),)
    assert dataset.query == (Sample(f"{root}/query/deep/0007_c2.jpg", 7, 2),)
    assert dataset.gallery == (
        Sample(f"{root}/gallery/0000_c1.jpg", 0, 1),
        Sample(f"{root}/gallery/0007_c5.jpg", 7, 5),
    )
    assert dataset.name == "mine"


def test_the_pattern_says_the_split_and_names_are_numbered(tmp_path: Path, make_files: MakeFiles) -> None:
    names = ("hall/bo-query.jpg", "door/bo-gallery.jpg", "door/anna k-train.jpg", "hall/zoë-gallery.jpg")
    pattern = r"^(?P<camera>[^/]+)/(?P<pid>[^/]+)-(?P<split>\w+)\."
    dataset = load_pattern(str(make_files(tmp_path, names)), pattern)
    found = [(Path(s.path).name, s.pid, s.camid) for s in (*dataset.train, *dataset.query, *dataset.gallery)]
    assert found == [
        ("anna k-train.jpg", 1, 0),
        ("bo-query.jpg", 2, 1),
        ("bo-gallery.jpg", 2, 0),
        ("zoë-gallery.jpg", 3, 1),
    ]


def test_agrees_with_the_reader_of_market1501(
    tmp_path: Path, make_files: MakeFiles, market_names: tuple[str, ...]
) -> None:
    make_files(tmp_path, [name for name in market_names if not name.endswith(".txt")])
    expected = load_market1501(tmp_path)
    found = load_pattern(tmp_path, r"/(?P<pid>-?\d+)_c(?P<camera>\d+)")
    for part in ("train", "query", "gallery"):
        samples = getattr(found, part)
        assert [(s.path, s.pid, s.camid - 1) for s in samples] == [  # cameras as printed, from 1
            (s.path, s.pid, s.camid) for s in getattr(expected, part)
        ]


def test_a_camera_may_be_unknown_here_and_there(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["train/1.jpg", "train/2_c4.jpg"])
    found = read_pattern(tmp_path, r"(?P<pid>\d+)(_c(?P<camera>\d+))?\.jpg")
    assert [(image.identity, image.camid) for image in found] == [("1", -1), ("2", 4)]
    assert [image.camid for image in read_pattern(tmp_path, r"(?P<pid>\d+)")] == [-1, -1]


def test_paths_that_do_not_fit_are_shown(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["train/1_c1.jpg", "train/2_c1.jpg", "train/x.jpg", "train/y.jpg"])
    with pytest.raises(
        ValueError,
        match=r"does not fit 2 of the 4 images in .*, the first is 'train/x\.jpg'; the folder begins with "
        r"'train/1_c1\.jpg', 'train/2_c1\.jpg', 'train/x\.jpg': correct the pattern",
    ):
        load_pattern(tmp_path, NUMBERED)
    with pytest.raises(ValueError, match="does not fit 2 of the 4 images"):
        load_pattern(tmp_path, r"/(?P<pid>\d*)")  # an identity without a letter is none


def test_splits_that_are_unknown_are_shown(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["probe/1_c1.jpg", "probe/2_c1.jpg", "train/3_c1.jpg"])
    with pytest.raises(
        ValueError,
        match=r"there is no split 'probe': expected one of train, query, gallery, bounding_box_train, "
        r"bounding_box_test, test, or a map.*; the split is the group \(\?P<split>",
    ):
        load_pattern(tmp_path, NUMBERED)
    with pytest.raises(ValueError, match=r"there is no split ''"):
        load_pattern(tmp_path, NUMBERED + "(?P<split>nothing)?")


def test_other_names_of_splits_and_images_to_leave_out(tmp_path: Path, make_files: MakeFiles) -> None:
    names = ("a/1_c0.jpg", "b/2_c0.jpg", "c/2_c1.jpg", "c/thumbs/x.jpg", "d/9_c1.jpg")
    make_files(tmp_path, names)
    dataset = load_pattern(
        tmp_path, NUMBERED, split_map="a=train,b=query,c=gallery,d=ignore", leave_out="/thumbs/"
    )
    found = [[sample.pid for sample in part] for part in (dataset.train, dataset.query, dataset.gallery)]
    assert found == [[1], [2], [2]]
    everything = load_pattern(tmp_path, NUMBERED, split_map="*=train", leave_out="thumbs")
    assert [sample.pid for sample in everything.train] == [1, 2, 2, 9]
    assert (everything.query, everything.gallery) == ((), ())
    with pytest.raises(ValueError, match=r"pattern '\.' leaves out every image in"):
        load_pattern(tmp_path, NUMBERED, leave_out=".")
    with pytest.raises(ValueError, match=r"pattern '\(' is not a regular expression: "):
        load_pattern(tmp_path, NUMBERED, leave_out="(")


def test_train_and_test_is_image_retrieval_as_with_folders(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["train/3/a.jpg", "test/0/a.jpg", "test/0/b.jpg"])
    dataset = load_pattern(tmp_path, r"/(?P<pid>\d+)/")
    assert dataset == load_class_folders(tmp_path)
    assert (len(dataset.query), dataset.gallery, dataset.ks) == (2, (), (1, 2, 4, 8))


def test_tracks_and_clothes_belong_to_a_person(tmp_path: Path, make_files: MakeFiles) -> None:
    names = ("1_c0_t1_red.jpg", "1_c0_t1_red2.jpg", "1_c1_t1_blue.jpg", "2_c0_t1_red.jpg", "2_c0.jpg")
    make_files(tmp_path / "query", names)
    pattern = NUMBERED + r"(_(?P<tracklet>t\d)_(?P<clothes>[a-z]+))?"
    found = {Path(i.path).stem: (i.tracklet, i.clothes) for i in read_pattern(tmp_path, pattern)}
    assert found["1_c0_t1_red"] == found["1_c0_t1_red2"]
    assert len({found[Path(name).stem][0] for name in names}) == 4  # another camera, another person, none
    assert [found[Path(name).stem][1] for name in names] == [1, 1, 0, 2, -1]


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("(?P<pid>", r"pattern '\(\?P<pid>' is not a regular expression: .*; an example: "),
        ("[0-9]+", r"has no group \(\?P<pid>\.\.\.\): expected the named group pid"),
        (r"(\d+)_(?P<camera>\d+)", r"has no group \(\?P<pid>"),
        (
            r"(?P<pid>\d+)_(?P<cam>\d+)",
            "has unknown groups cam: expected the named group pid and, optionally",
        ),
    ],
)
def test_patterns_that_cannot_be_used(tmp_path: Path, pattern: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_pattern(tmp_path, pattern)


def test_nothing_there_and_shared_identities(tmp_path: Path, make_files: MakeFiles) -> None:
    with pytest.raises(FileNotFoundError, match=r"no image in .*: give the folder that holds"):
        load_pattern(tmp_path, NUMBERED)
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        load_pattern(tmp_path / "nowhere", NUMBERED)
    make_files(tmp_path, ["train/1_c1.jpg", "query/1_c2.jpg"])
    with pytest.raises(ValueError, match=r"identity '1' is in train .* and in query"):
        load_pattern(tmp_path, NUMBERED)
