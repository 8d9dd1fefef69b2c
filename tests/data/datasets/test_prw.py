from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.prw import load_prw
from reid_gl.data.datasets.registry import load_dataset
from reid_gl.evaluation.scores.protocol import check_test_set
from reid_gl.records import Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]
FRAMES = {"train": ["c1s1_000151"], "test": ["c2s1_000176", "c6s1_000001"]}
BOXES = {
    "c1s1_000151": ("box_new", [[3.0, 11.0, 21.0, 5.0, 9.0], [-2.0, 1.0, 1.0, 5.0, 9.0]]),
    "c2s1_000176": ("anno_file", [[7.0, 10.6, 20.4, 5.0, 9.0], [-2.0, 31.0, 1.0, 5.0, 9.0]]),
    "c6s1_000001": ("anno_previous", [[7.0, 41.0, 1.0, 5.0, 9.0]]),
}


@pytest.fixture
def make_prw(make_files: MakeFiles) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        make_files(root, [f"frames/{frame}.jpg" for frame in BOXES])
        (root / "annotations").mkdir()
        for frame, (name, rows) in BOXES.items():
            savemat(root / "annotations" / f"{frame}.jpg.mat", {name: np.array(rows)})
        for part, frames in FRAMES.items():
            cells = np.array(frames, dtype=object)[:, None]
            savemat(root / f"frame_{part}.mat", {f"img_index_{part}": cells})
        (root / "query_info.txt").write_text("7 10.6 20.4 5.0 9.0 c2s1_000176\n\n")
        return root

    return make


@pytest.mark.parametrize("home", ["", "PRW-v16.04.20", "prw"])
def test_true_boxes_by_hand(tmp_path: Path, make_prw: Callable[[Path], Path], home: str) -> None:
    folder = make_prw(tmp_path / home)
    dataset = load_prw(tmp_path)
    assert load_prw(folder / "frames") == dataset
    frames = f"{folder}/frames"
    query = Sample(f"{frames}/c2s1_000176.jpg", 7, 1, (11, 20, 16, 29))
    assert dataset.train == (Sample(f"{frames}/c1s1_000151.jpg", 3, 0, (11, 21, 16, 30)),)
    assert dataset.query == (query,)
    assert dataset.gallery == (
        query,
        Sample(f"{frames}/c2s1_000176.jpg", 0, 1, (31, 1, 36, 10)),
        Sample(f"{frames}/c6s1_000001.jpg", 7, 5, (41, 1, 46, 10)),
    )
    # the query is one of the boxes of the gallery, and its frame is not searched
    assert dataset.search is not None
    assert dataset.search.scenes.tolist() == [0, 0, 1]
    assert dataset.search.boxes.tolist() == [[11, 20, 16, 29], [31, 1, 36, 10], [41, 1, 46, 10]]
    assert dataset.search.searched.tolist() == [[False, True]]
    assert dataset.search.targets.tolist() == [[0, 0], [0, 1]]
    assert dataset.search.target_boxes.tolist() == [[11, 20, 16, 29], [41, 1, 46, 10]]
    assert str(check_test_set(dataset)) == (
        "1 of 1 queries have their person in a scene that they search; the scenes have 3 boxes"
    )


def test_the_frames_of_the_own_camera_and_a_second_box_in_a_frame(
    tmp_path: Path, make_prw: Callable[[Path], Path]
) -> None:
    folder = make_prw(tmp_path)
    (folder / "query_info.txt").write_text("7 41 1 5 9 c6s1_000001\n7 10.6 20.4 5.0 9.0 c2s1_000176\n")
    rows = [[7.0, 1, 1, 5, 9], [7.0, 50, 1, 5, 9]]  # the first one counts
    savemat(folder / "annotations" / "c6s1_000001.jpg.mat", {"box_new": np.array(rows)})
    (folder / "frames" / "c6s2_000009.jpg").touch()
    savemat(folder / "annotations" / "c6s2_000009.jpg.mat", {"box_new": np.array([[8.0, 1, 1, 5, 9]])})
    cells = np.array(["c2s1_000176", "c6s1_000001", "c6s2_000009"], dtype=object)[:, None]
    savemat(folder / "frame_test.mat", {"img_index_test": cells})
    everywhere, elsewhere = load_dataset("prw", tmp_path), load_dataset("prw_cross_camera", tmp_path)
    assert everywhere.search is not None
    assert elsewhere.search is not None
    assert everywhere.search.searched.tolist() == [[True, False, True], [False, True, True]]
    assert elsewhere.search.searched.tolist() == [[True, False, False], [False, True, True]]
    assert everywhere.search.targets.tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]
    assert everywhere.search.target_boxes[1].tolist() == [1, 1, 6, 10]
    assert elsewhere.name == "prw_cross_camera"


def test_boxes_of_a_detector_take_the_place_of_the_true_ones(
    tmp_path: Path, make_prw: Callable[[Path], Path]
) -> None:
    folder = make_prw(tmp_path)
    table = tmp_path / "detections.csv"
    table.write_text("path,x1,y1,x2,y2,score\nc6s1_000001.jpg,40.4,1,46,10,0.6\n")
    true, found = (load_prw(folder, detections=name) for name in ("", table))
    assert found.gallery == (Sample(f"{folder}/frames/c6s1_000001.jpg", 0, 5, (40, 1, 46, 10)),)
    assert (found.train, found.query) == (true.train, true.query)
    assert found.search is not None
    assert true.search is not None
    assert found.search.scenes.tolist() == [1]
    assert found.search.targets.tolist() == true.search.targets.tolist()
    with pytest.raises(ValueError, match=r"0 boxes, 1 with a score below 0\.7, 0 of images that are not sea"):
        load_prw(folder, detections=table, min_detection_score=0.7)


def test_files_that_are_broken(tmp_path: Path, make_prw: Callable[[Path], Path]) -> None:
    make_prw(tmp_path)
    queries = tmp_path / "query_info.txt"
    for line, message in (
        ("7 1 2 3 c2s1_000176", r"line 1 of .*query_info\.txt reads .*: expected a person, x, y, width"),
        ("7 1 2 3 4 ../c2s1_000176", "expected a person, x, y, width"),
        ("7 1 2 0 4 c2s1_000176", r"line 1 of .* has an empty box"),
    ):
        queries.write_text(line)
        with pytest.raises(ValueError, match=message):
            load_prw(tmp_path)
    queries.write_text("")
    boxes = tmp_path / "annotations" / "c1s1_000151.jpg.mat"
    for rows, message in (
        ([[3.0, 1.0]], r"c1s1_000151\.jpg\.mat has no boxes: expected person, x, y"),
        ([[3.5, 1, 1, 5, 9]], r"has a person 3\.5: expected a number from 1, or -2"),
        ([[0.0, 1, 1, 5, 9]], r"has a person 0: expected"),
    ):
        savemat(boxes, {"box_new": np.array(rows)})
        with pytest.raises(ValueError, match=message):
            load_prw(tmp_path)
    boxes.unlink()
    with pytest.raises(
        FileNotFoundError, match=r"1 of the 3 images named in the lists of frames do not exist"
    ):
        load_prw(tmp_path)
    savemat(tmp_path / "frame_train.mat", {"img_index_train": np.array([["../a"]], dtype=object)})
    with pytest.raises(ValueError, match=r"frame_train\.mat has no list img_index_train .*, but '\.\./a'"):
        load_prw(tmp_path)
