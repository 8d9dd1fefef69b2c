from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reid_gl.data.mot import read_frame
from reid_gl.data.mot_crops import CropRule, find_sequences, plan_crops
from reid_gl.data.mot_to_reid import write_reid_crops
from reid_gl.data.sources import load_dataset
from tests.data.test_mot import make_sequence

SMALL = {"min_width": 4, "min_height": 8}


@pytest.fixture
def cameras(tmp_path: Path) -> Path:
    """Two sequences of four frames in which people 1 to 6 stand side by side."""
    for name in ("one", "two"):
        sequence = make_sequence(tmp_path / "mot" / name, num_frames=4)
        (sequence.folder / "gt").mkdir()
        lines = [
            f"{frame},{person},{6 * person - 4},3,5,20,1,1,0.9"
            for frame in range(1, 5)
            for person in range(1, 7)
        ]
        (sequence.folder / "gt" / "gt.txt").write_text("\n".join(lines))
    return tmp_path / "mot"


def test_crops_are_a_set_in_the_layout_of_market(cameras: Path, tmp_path: Path) -> None:
    sequences = find_sequences([cameras])
    out = tmp_path / "data" / "market1501"
    counts = write_reid_crops(sequences, out, CropRule(**SMALL, shared_identities=True))
    assert counts["identities"] == 6
    assert counts["train"] == 3 * 8
    assert counts["query"] == counts["queries_with_match"] == 3 * 2
    assert counts["gallery"] == 3 * 6
    dataset = load_dataset("market1501", out)
    assert {sample.pid for sample in dataset.train}.isdisjoint({sample.pid for sample in dataset.query})
    assert {sample.camid for sample in dataset.query} == {0, 1}
    with (out / "crops.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    for row in rows[::7]:
        x1, y1, x2, y2 = (int(row[side]) for side in ("x1", "y1", "x2", "y2"))
        frame = read_frame(sequences[int(row["camid"])], int(row["frame"]))
        crop = cv2.imread(str(out / row["path"]))
        assert crop.shape == (y2 - y1, x2 - x1, 3)
        assert np.abs(crop.astype(int) - frame[y1:y2, x1:x2]).max() <= 2
        assert row["split"] in row["path"] or row["split"] in ("train", "gallery")
    with pytest.raises(FileExistsError, match="choose another folder or remove this one"):
        write_reid_crops(sequences, out, CropRule())


def test_ids_of_other_sequences_are_other_people(cameras: Path) -> None:
    crops = plan_crops(find_sequences([cameras / "one", cameras / "two"]), CropRule(**SMALL))
    assert sorted({crop.pid for crop in crops}) == list(range(1, 13))
    assert {crop.pid > 6 for crop in crops if crop.camera == 2} == {True}


@pytest.mark.parametrize(
    ("line", "passes"),
    [
        ("1,9,2,3,5,20,1,1,0.9", True),
        ("1,9,2,3,5,20,0,1,0.9", False),  # to be ignored
        ("1,9,2,3,5,20,1,7,0.9", False),  # a static person
        ("1,9,2,3,5,20,1,1,0.2", False),  # hidden
        ("1,9,2,3,3,20,1,1,0.9", False),  # too narrow
        ("1,9,-3,3,6,20,1,1,0.9", False),  # too narrow inside the frame
        ("2,9,2,3,5,20,1,1,0.9", False),  # not a second frame
    ],
)
def test_what_is_cut_out(line: str, passes: bool, cameras: Path) -> None:
    path = cameras / "one" / "gt" / "gt.txt"
    path.write_text(path.read_text() + f"\n{line}\n")
    rule = CropRule(**SMALL, stride=2, shared_identities=True)
    crops = [crop for crop in plan_crops(find_sequences([cameras]), rule) if crop.pid == 9]
    assert bool(crops) is passes


def test_the_seed_decides_who_is_for_training(cameras: Path) -> None:
    sequences = find_sequences([cameras])
    plans = [
        plan_crops(sequences, CropRule(**SMALL, shared_identities=True, seed=seed)) for seed in (0, 0, 1, 2)
    ]
    assert plans[0] == plans[1]
    assert plans[0] != plans[2] or plans[0] != plans[3]


def test_one_of_the_copies_of_mot17_is_taken(tmp_path: Path) -> None:
    for name in ("MOT17-02-DPM", "MOT17-02-FRCNN", "MOT17-04-SDP"):
        sequence = make_sequence(tmp_path / name)
        (sequence.folder / "gt").mkdir()
        (sequence.folder / "gt" / "gt.txt").write_text("")
    assert [sequence.name for sequence in find_sequences([tmp_path])] == ["MOT17-02-DPM", "MOT17-04-SDP"]


def test_errors(cameras: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no sequence in .*: expected seqinfo.ini and gt/gt.txt"):
        find_sequences([tmp_path / "nothing"])
    with pytest.raises(ValueError, match="two sequences are called one"):
        find_sequences([cameras, cameras / "one"])
    with pytest.raises(ValueError, match="nothing is left for bounding_box_train, query, bounding_box_test"):
        plan_crops(find_sequences([cameras]), CropRule())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_visibility": 2.0}, "min_visibility is 2.0: expected a share from 0 to 1"),
        ({"stride": 0}, "min_width, min_height and stride must be at least 1"),
        ({"train_share": 1.0}, "train_share is 1.0: expected a share between 0 and 1"),
    ],
)
def test_rules_that_cannot_be(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CropRule(**changes)


def test_a_failure_leaves_nothing(cameras: Path, tmp_path: Path) -> None:
    (cameras / "two" / "img1" / "000003.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match="is not an image"):
        write_reid_crops(find_sequences([cameras]), tmp_path / "out", CropRule(**SMALL))
    assert [path.name for path in tmp_path.iterdir()] == ["mot"]
