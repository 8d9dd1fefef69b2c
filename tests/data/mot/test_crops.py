from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from reid_gl.data.mot.crops import Crop, CropRule, find_sequences, plan_crops
from reid_gl.data.mot.read import load_sequence
from tests.data.made_up_sequence import FRAMES, PEOPLE, everybody, write_sequence


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
    with pytest.raises(ValueError, match="classes is empty: expected at least one class"):
        CropRule(classes=())


def plan_part(tmp_path: Path, pid: int) -> str:
    """The part an identity is in; it has one crop, so it is no query."""
    crops = plan_crops([load_sequence(tmp_path / "s")], CropRule(stride=2))
    (part,) = {crop.part for crop in crops if crop.pid == pid}
    assert part != "query"
    return part


@pytest.mark.parametrize("seed", range(8))
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


def test_a_sequence_of_mot17_counts_once(tmp_path: Path) -> None:
    for name in ("MOT17-02-DPM", "MOT17-02-FRCNN", "MOT17-04-SDP"):
        write_sequence(tmp_path / name, everybody())
    (tmp_path / "MOT17-04-SDP" / "gt" / "gt.txt").rename(tmp_path / "gt.txt")
    assert [s.name for s in find_sequences([tmp_path])] == ["MOT17-02-DPM"]


def test_a_sequence_that_cannot_be_reached_is_not_left_out_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A glob pattern leaves out broken links and folders without permission."""
    write_sequence(tmp_path / "a", everybody())
    (tmp_path / "notes").mkdir()
    assert [s.name for s in find_sequences([tmp_path])] == ["a"]
    ground_truth = tmp_path / "a" / "gt" / "gt.txt"
    ground_truth.unlink()
    ground_truth.symlink_to(ground_truth)
    with pytest.raises(FileNotFoundError, match=r"gt\.txt is a link to nothing"):
        plan_crops(find_sequences([tmp_path]), CropRule())
    (tmp_path / "b").symlink_to("/unmounted/b")
    with pytest.raises(FileNotFoundError, match=r"link .*b leads nowhere"):
        find_sequences([tmp_path])
    (tmp_path / "b").unlink()
    is_file = Path.is_file

    def refuse(path: Path) -> bool:
        if path == tmp_path / "notes" / "seqinfo.ini":
            raise PermissionError(13, "Permission denied", str(path))
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(PermissionError, match="notes"):
        find_sequences([tmp_path])


def test_two_sequences_of_one_name_are_refused(tmp_path: Path) -> None:
    folders = [write_sequence(tmp_path / part / "a", everybody()) for part in "xy"]
    with pytest.raises(ValueError, match="two sequences are called a"):
        find_sequences(folders)


@pytest.mark.parametrize(
    "wrong",
    [{"min_visibility": 1.5}, {"stride": 0}, {"min_width": 0}, {"train_share": 1.0}, {"seed": -1}],
)
def test_wrong_rules_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        CropRule(**wrong)


def test_what_cannot_be_planned_is_said(two_cameras: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no sequence in .*: expected seqinfo\.ini and gt/gt\.txt"):
        find_sequences([tmp_path / "nothing"])
    sequences = find_sequences([two_cameras])
    with pytest.raises(ValueError, match=r"nothing is left for bounding_box_train, query, .*: 0 crops"):
        plan_crops(sequences, CropRule(min_height=80))
    (two_cameras / "place-c1" / "gt" / "gt.txt").write_text("1,0,1,1,30,60,1,1,1\n")
    with pytest.raises(ValueError, match="people must have ids from 1, got 0"):
        plan_crops(sequences, CropRule())
