from __future__ import annotations

import csv
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from reid_gl.cli.main import main
from reid_gl.data.datasets import load_dataset
from reid_gl.data.loading.images import read_image
from reid_gl.data.mot.crops import Crop, CropRule, find_sequences, plan_crops
from reid_gl.data.mot.read import load_sequence
from reid_gl.data.mot.to_reid import write_reid_crops
from tests.data.made_up_sequence import write_sequence

FRAMES, PEOPLE = 4, 6


def everybody(first: int = 1) -> list[str]:
    """Six people who stand side by side in all frames."""
    return [
        f"{frame},{first + person},{1 + 20 * person},11,18,40,1,1,1"
        for frame in range(1, FRAMES + 1)
        for person in range(PEOPLE)
    ]


@pytest.fixture
def two_cameras(tmp_path: Path) -> Path:
    for name in ("place-c1", "place-c2"):
        write_sequence(tmp_path / "place" / name, everybody())
    return tmp_path / "place"


def plan(tmp_path: Path, lines: list[str], **rule: Any) -> list[Crop]:
    sequence = load_sequence(write_sequence(tmp_path / "s", [*everybody(100), *lines]))
    return [crop for crop in plan_crops([sequence], CropRule(**rule)) if crop.pid < 100]


def test_by_hand_a_crop_and_its_name(tmp_path: Path) -> None:
    (crop,) = plan(tmp_path, ["3,7,-3,11.6,30,60.6,1,1,0.25"], min_visibility=0.25)
    assert crop.corners == (0, 10, 26, 71)
    assert crop.path.split("/")[1] == "0007_c1s1_000003_00.jpg"


@pytest.mark.parametrize(
    "line",
    [
        "1,7,1,1,30,60,0,1,1",  # flag
        "1,7,1,1,30,60,1,2,1",  # on a vehicle
        "1,7,1,1,30,60,1,8,1",  # distractor
        "1,7,1,1,30,60,1,1,0.2",  # hidden
        "1,7,1,1,15,60,1,1,1",  # narrow
        "1,7,1,1,30,31,1,1,1",  # low
        "1,7,110,1,30,60,1,1,1",  # narrow inside the frame
        "1,7,-200,1,30,60,1,1,1",  # outside
        "2,7,1,1,30,60,1,1,1",  # between strides
    ],
)
def test_boxes_that_do_not_count_are_left_out(tmp_path: Path, line: str) -> None:
    assert plan(tmp_path, [line, "1,8,1,1,16,32,1,1,0.3"], stride=2) == [
        Crop(8, 1, "s", 1, (0, 0, 16, 32), 0.3, part=plan_part(tmp_path, 8))
    ]


@pytest.mark.parametrize("line", ["1,7,1,1,30,60,0.4,1,1", "1,7,1,1,30,60,1,1,-1", "1 7 1 1 30 60 1 -1 -1"])
def test_boxes_that_say_less_or_more_than_yes_count(tmp_path: Path, line: str) -> None:
    (crop,) = plan(tmp_path, [line])
    assert (crop.corners, crop.visibility) == ((0, 0, 30, 60), 1)


def test_other_classes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cars = [line.replace(",1,1,1", ",1,3,1") for line in everybody()]
    sequence = load_sequence(write_sequence(tmp_path / "cars", cars))
    assert len(plan_crops([sequence], CropRule(classes=(3,)))) == FRAMES * PEOPLE
    with pytest.raises(ValueError, match="nothing is left for bounding_box_train"):
        plan_crops([sequence], CropRule())
    assert "gt.txt has no box of class 1 to consider; its classes: 3 (24 boxes)" in caplog.text
    words = ["mot-to-reid", str(tmp_path / "cars"), "--out", str(tmp_path / "crops")]
    assert main(words) == 1
    assert main([*words, "--classes", "3"]) == 0
    with pytest.raises(ValueError, match="classes is empty: expected at least one class"):
        CropRule(classes=())


def plan_part(tmp_path: Path, pid: int) -> str:
    """The part an identity is in; it has one crop, so it is no query."""
    crops = plan_crops([load_sequence(tmp_path / "s")], CropRule(stride=2))
    (part,) = {crop.part for crop in crops if crop.pid == pid}
    assert part != "query"
    return part


@pytest.mark.parametrize("seed", range(20))
def test_identities_are_disjoint_and_queries_are_one_a_camera(two_cameras: Path, seed: int) -> None:
    rule = CropRule(shared_identities=True, seed=seed)
    crops = plan_crops(find_sequences([two_cameras]), rule)
    assert len(crops) == 2 * FRAMES * PEOPLE
    assert len({crop.path for crop in crops}) == len(crops)
    parts: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for crop in crops:
        parts[crop.pid].append((crop.part, crop.camera))
    trained = [pid for pid, seen in parts.items() if {part for part, _ in seen} == {"bounding_box_train"}]
    assert len(trained) == PEOPLE / 2
    for pid in set(parts) - set(trained):
        for camera in (1, 2):
            assert parts[pid].count(("query", camera)) == 1
            assert parts[pid].count(("bounding_box_test", camera)) == FRAMES - 1
    assert crops == plan_crops(find_sequences([two_cameras]), rule)


def test_the_seed_changes_who_is_for_training(two_cameras: Path) -> None:
    splits = set()
    for seed in range(10):
        crops = plan_crops(find_sequences([two_cameras]), CropRule(shared_identities=True, seed=seed))
        splits.add(frozenset(crop.pid for crop in crops if crop.part == "bounding_box_train"))
    assert len(splits) > 3


def test_ids_of_sequences_are_kept_apart_unless_shared(two_cameras: Path) -> None:
    sequences = find_sequences([two_cameras])
    apart = {(crop.pid, crop.camera) for crop in plan_crops(sequences, CropRule())}
    assert apart == {(pid, 1) for pid in range(1, 7)} | {(pid, 2) for pid in range(7, 13)}
    shared = plan_crops(sequences, CropRule(shared_identities=True))
    assert {crop.pid for crop in shared} == set(range(1, 7))


def test_reads_back_as_a_market_data_set_with_the_right_pixels(two_cameras: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    counts = write_reid_crops(
        find_sequences([two_cameras]),
        tmp_path / "out",
        CropRule(shared_identities=True),
        progress=lambda done, total: seen.append((done, total)),
    )
    dataset = load_dataset("synthetic", tmp_path / "out")
    table = load_dataset("table", tmp_path / "out" / "crops.csv")
    for part in ("train", "query", "gallery"):
        assert [(s.path, s.pid, s.camid) for s in getattr(table, part)] == [
            (s.path, s.pid, s.camid) for s in getattr(dataset, part)
        ]
    assert counts == {
        "train": len(dataset.train),
        "query": len(dataset.query),
        "gallery": len(dataset.gallery),
        "identities": PEOPLE,
        "queries_with_match": len(dataset.query),
    }
    assert seen[-1] == (2 * FRAMES, 2 * FRAMES)
    assert not {s.pid for s in dataset.train} & {s.pid for s in (*dataset.query, *dataset.gallery)}
    samples = {Path(s.path).name: s for s in (*dataset.train, *dataset.query, *dataset.gallery)}
    with (tmp_path / "out" / "crops.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(samples) == 2 * FRAMES * PEOPLE
    for row in rows:
        sample = samples[Path(row["path"]).name]
        assert (sample.pid, sample.camid) == (int(row["pid"]), int(row["camid"]))
        frame = read_image(two_cameras / row["sequence"] / "img1" / f"{int(row['frame']):06d}.jpg")
        x1, y1, x2, y2 = (int(row[f"frame_{side}"]) for side in ("x1", "y1", "x2", "y2"))
        difference = read_image(tmp_path / "out" / row["path"]).astype(float) - frame[y1:y2, x1:x2]
        assert np.abs(difference).mean() < 12  # JPEG again, of noise


def test_a_sequence_of_mot17_counts_once(tmp_path: Path) -> None:
    for name in ("MOT17-02-DPM", "MOT17-02-FRCNN", "MOT17-04-SDP"):
        write_sequence(tmp_path / name, everybody())
    (tmp_path / "MOT17-04-SDP" / "gt" / "gt.txt").rename(tmp_path / "gt.txt")
    assert [s.name for s in find_sequences([tmp_path])] == ["MOT17-02-DPM"]


def test_two_sequences_of_one_name_are_refused(tmp_path: Path) -> None:
    folders = [write_sequence(tmp_path / part / "a", everybody()) for part in "xy"]
    with pytest.raises(ValueError, match="two sequences are called a"):
        find_sequences(folders)


def test_what_cannot_be_used_is_said(two_cameras: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no sequence in .*: expected seqinfo\.ini and gt/gt\.txt"):
        find_sequences([tmp_path / "nothing"])
    sequences = find_sequences([two_cameras])
    with pytest.raises(ValueError, match=r"nothing is left for bounding_box_train, query, .*: 0 crops"):
        plan_crops(sequences, CropRule(min_height=80))
    with pytest.raises(FileExistsError, match="exists: choose another"):
        write_reid_crops(sequences, two_cameras, CropRule())
    (two_cameras / "place-c1" / "gt" / "gt.txt").write_text("1,0,1,1,30,60,1,1,1\n")
    with pytest.raises(ValueError, match="people must have ids from 1, got 0"):
        plan_crops(sequences, CropRule())


@pytest.mark.parametrize(
    "wrong",
    [{"min_visibility": 1.5}, {"stride": 0}, {"min_width": 0}, {"train_share": 1.0}, {"seed": -1}],
)
def test_wrong_rules_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CropRule(**wrong)


def test_a_broken_picture_leaves_nothing(two_cameras: Path, tmp_path: Path) -> None:
    last = two_cameras / "place-c2" / "img1" / f"{FRAMES:06d}.jpg"
    assert cv2.imwrite(str(last), np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(ValueError, match="has 10 x 10 pixels"):
        write_reid_crops(find_sequences([two_cameras]), tmp_path / "out", CropRule())
    assert [path.name for path in tmp_path.iterdir()] == ["place"]


def test_the_command_warns_of_queries_that_do_not_count(
    two_cameras: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["mot-to-reid", str(two_cameras), "--out", str(tmp_path / "a"), "--stride", "2"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["queries_with_match"] == 0
    assert "6 of 6 queries show a person who is not seen by another camera" in output.err
    assert "--shared-identities" in output.err
    words = ["mot-to-reid", str(two_cameras), "--out", str(tmp_path / "b"), "--shared-identities"]
    assert main(words) == 0
    assert "queries show" not in capsys.readouterr().err
    assert main(words) == 1
    assert "exists" in capsys.readouterr().err
