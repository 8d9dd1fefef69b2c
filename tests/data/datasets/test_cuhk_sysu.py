from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.cuhk_sysu import load_cuhk_sysu
from reid_gl.data.datasets.registry import load_dataset
from reid_gl.evaluation.scores.protocol import check_test_set
from reid_gl.records import Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]
NO_BOX = np.zeros((0, 0))
ALL_BOXES = {
    "s1.jpg": [[1, 2, 10, 20], [50, 2, 10, 20]],
    "s2.jpg": [[5, 6, 10, 20]],
    "s3.jpg": [[10, 20, 30, 40], [90, 20, 0, 40]],  # the second has no width
    "s4.jpg": [[11, 21, 30, 40], [60, 20, 30, 40]],
    "s5.jpg": [[12, 22, 30, 40]],
}


def structures(fields: tuple[str, ...], rows: list[tuple[object, ...]]) -> np.ndarray:
    """A MATLAB array of structures."""
    array = np.empty((1, len(rows)), dtype=[(field, object) for field in fields])
    for place, row in enumerate(rows):
        array[0, place] = row
    return array


def scenes(boxes: list[tuple[str, object]], *, name: str = "") -> np.ndarray:
    fields = ("imname", "idlocate", "ishard", *(["idname"] if name else []))
    rows = [
        (image, np.array([box], np.uint16) if isinstance(box, list) else box, 0, *([name] if name else []))
        for image, box in boxes
    ]
    return structures(fields, rows)


def all_images() -> np.ndarray:
    rows = []
    for image, boxes in ALL_BOXES.items():
        own = structures(("idlocate", "ishard"), [(np.array([box], np.uint16), 0) for box in boxes])
        rows.append((image, len(boxes), own))
    return structures(("imname", "nAppear", "box"), rows)


def people_to_train() -> np.ndarray:
    """One person in two images."""
    people = np.empty((1, 1), dtype=object)
    found = scenes([("s1.jpg", [1, 2, 10, 20]), ("s2.jpg", [5, 6, 10, 20])])
    people[0, 0] = structures(("idname", "nAppear", "scene"), [("p1", 2, found)])
    return people


def people_to_test(query_boxes: object = None) -> np.ndarray:
    """Two people; the gallery of the first lists an image without her, too."""
    return structures(
        ("Query", "Gallery"),
        [
            (
                scenes([("s3.jpg", query_boxes or [10, 20, 30, 40])], name="p5533"),
                scenes([("s4.jpg", [11, 21, 30, 40]), ("s5.jpg", NO_BOX)]),
            ),
            (
                scenes([("s5.jpg", [12, 22, 30, 40])], name="p5534"),
                scenes([("s4.jpg", [60, 20, 30, 40])]),
            ),
        ],
    )


@pytest.fixture
def make_cuhk_sysu(make_files: MakeFiles) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        make_files(root, [f"Image/SSM/{image}" for image in ALL_BOXES])
        (root / "annotation/test/train_test").mkdir(parents=True)
        pool = np.array([["s3.jpg"], ["s4.jpg"], ["s5.jpg"]], dtype=object)
        savemat(root / "annotation/pool.mat", {"pool": pool})
        savemat(root / "annotation/Images.mat", {"Img": all_images()})
        savemat(root / "annotation/test/train_test/Train.mat", {"Train": people_to_train()})
        for name in ("TestG50", "TestG100"):
            savemat(root / f"annotation/test/train_test/{name}.mat", {name: people_to_test()})
        return root

    return make


@pytest.mark.parametrize("home", ["", "CUHK-SYSU"])
def test_true_boxes_by_hand(
    tmp_path: Path, make_cuhk_sysu: Callable[[Path], Path], home: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_cuhk_sysu(tmp_path / home)
    dataset = load_cuhk_sysu(tmp_path)
    assert load_cuhk_sysu(folder / "annotation") == dataset
    frames = f"{folder}/Image/SSM"
    # the box of s1 without a label is not used for training
    assert dataset.train == (
        Sample(f"{frames}/s1.jpg", 1, box=(1, 2, 11, 22)),
        Sample(f"{frames}/s2.jpg", 1, box=(5, 6, 15, 26)),
    )
    first = Sample(f"{frames}/s3.jpg", 2, box=(10, 20, 40, 60))
    second = Sample(f"{frames}/s5.jpg", 3, box=(12, 22, 42, 62))
    assert dataset.query == (first, second)
    assert dataset.gallery == (
        first,
        Sample(f"{frames}/s4.jpg", 2, box=(11, 21, 41, 61)),
        Sample(f"{frames}/s4.jpg", 3, box=(60, 20, 90, 60)),
        second,
    )
    preflight = check_test_set(dataset)
    assert (preflight.name, preflight.num_scored, preflight.use_cameras) == ("person search", 2, False)
    assert (
        "cuhk_sysu: 1 training identities (published 5,532), 2 query images (published 2,900)" in caplog.text
    )


def test_each_query_searches_the_images_of_its_list(
    tmp_path: Path, make_cuhk_sysu: Callable[[Path], Path]
) -> None:
    make_cuhk_sysu(tmp_path)
    listed, everything = (load_dataset(name, tmp_path).search for name in ("cuhk_sysu", "cuhk_sysu_all"))
    assert listed is not None
    assert everything is not None
    assert listed.scenes.tolist() == [0, 1, 1, 2]  # of s3, s4 and s5
    assert listed.searched.tolist() == [[False, True, True], [False, True, False]]
    assert everything.searched.tolist() == [[False, True, True], [True, True, False]]
    for search in (listed, everything):
        assert search.targets.tolist() == [[0, 1], [1, 1]]
        assert search.target_boxes.tolist() == [[11, 21, 41, 61], [60, 20, 90, 60]]
    names = [load_dataset(f"cuhk_sysu{end}", tmp_path).name for end in ("", "_50", "_all")]
    assert names == ["cuhk_sysu", "cuhk_sysu_50", "cuhk_sysu_all"]
    with pytest.raises(FileNotFoundError, match=r"lacks annotation/test/train_test/TestG4000\.mat"):
        load_dataset("cuhk_sysu_4000", tmp_path)


def test_an_image_that_only_a_list_has_is_searched_too(
    tmp_path: Path, make_cuhk_sysu: Callable[[Path], Path]
) -> None:
    folder = make_cuhk_sysu(tmp_path)
    savemat(folder / "annotation/pool.mat", {"pool": np.array([["s4.jpg"]], dtype=object)})
    dataset = load_cuhk_sysu(tmp_path)
    assert dataset.search is not None
    assert dataset.search.searched.shape == (2, 2)  # s4 and s5; s3, of a query alone, is in no gallery
    assert [Path(sample.path).name for sample in dataset.gallery] == ["s4.jpg", "s4.jpg", "s5.jpg"]


def test_boxes_of_a_detector(tmp_path: Path, make_cuhk_sysu: Callable[[Path], Path]) -> None:
    folder = make_cuhk_sysu(tmp_path)
    table = tmp_path / "boxes.csv"
    table.write_text("path,x1,y1,x2,y2,score\nImage/SSM/s4.jpg,11,21,41,60.6,0.9\ns1.jpg,1,1,9,9,1\n")
    dataset = load_cuhk_sysu(tmp_path, detections=table)
    assert dataset.gallery == (Sample(f"{folder}/Image/SSM/s4.jpg", 0, box=(11, 21, 41, 61)),)
    assert check_test_set(dataset).num_scored == 2


def test_people_without_a_label_are_distractors(
    tmp_path: Path, make_cuhk_sysu: Callable[[Path], Path]
) -> None:
    folder = make_cuhk_sysu(tmp_path)
    people = people_to_test()[:, :1]
    savemat(folder / "annotation/test/train_test/TestG100.mat", {"TestG100": people})
    assert [sample.pid for sample in load_cuhk_sysu(tmp_path).gallery] == [2, 2, 0, 0]


def test_files_that_are_broken(tmp_path: Path, make_cuhk_sysu: Callable[[Path], Path]) -> None:
    annotation = make_cuhk_sysu(tmp_path) / "annotation"
    test = annotation / "test/train_test/TestG100.mat"
    for content, message in (
        ({"TestG50": people_to_test()}, r"TestG100\.mat has no variable 'TestG100', so it is broken"),
        ({"TestG100": np.eye(2)}, r"TestG100 in .* has no structures with the fields Query, Gallery; take"),
        (
            {"TestG100": people_to_test([1, 2, 3])},
            r"s3\.jpg in .* has a box that is not x, y, width and height",
        ),
        ({"TestG100": people_to_test([1, 2, 0, 3])}, r"query 1 in .* has 0 boxes: exp"),
    ):
        savemat(test, content)
        with pytest.raises(ValueError, match=message):
            load_cuhk_sysu(tmp_path)
    savemat(test, {"TestG100": people_to_test()})
    savemat(annotation / "pool.mat", {"pool": np.array([["../s3.jpg"]], dtype=object)})
    with pytest.raises(ValueError, match=r"pool\.mat names an image '\.\./s3\.jpg': expected a name such as"):
        load_cuhk_sysu(tmp_path)
    (annotation / "pool.mat").write_bytes(b"no matrix")
    with pytest.raises(ValueError, match=r"pool\.mat cannot be read as a MATLAB file: expected version 5"):
        load_cuhk_sysu(tmp_path)


def test_images_that_are_missing(tmp_path: Path, make_cuhk_sysu: Callable[[Path], Path]) -> None:
    (make_cuhk_sysu(tmp_path) / "Image/SSM/s4.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"images named in the annotations of .* do not exist, the"):
        load_cuhk_sysu(tmp_path)
