from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.inference.bulk.box_files import BoxFile, own_boxes

TRUTH = "1,9,1,1,8,9,1,1,1\n1,8,1,1,8,9,0,1,1\n1,7,1,1,8,9,1,3,1\n"


@pytest.mark.parametrize(
    ("name", "classes", "ids"),
    [
        ("gt.txt", None, [9]),  # on foot, and to consider
        ("gt_corrected.txt", (3,), [7]),
        ("gt.txt", (1, 3), [9, 7]),
        ("det.txt", None, [9, 8, 7]),  # everybody
    ],
)
def test_a_name_that_begins_with_gt_is_ground_truth(
    name: str, classes: tuple[int, ...] | None, ids: list[int], tmp_path: Path
) -> None:
    is_truth = name.startswith("gt")
    text = TRUTH if is_truth else TRUTH.replace(",1\n", ",1,-1\n")
    (tmp_path / name).write_text(text)
    file = BoxFile(tmp_path / name, classes)
    assert file.is_truth is is_truth
    assert file.read(1).ids.tolist() == ids


def test_frames_beyond_the_last_are_refused_in_both(tmp_path: Path) -> None:
    for name, line in (("gt.txt", "4,9,1,1,8,9,1,1,1\n"), ("det.txt", "4,9,1,1,8,9,1\n")):
        (tmp_path / name).write_text(line)
        assert len(BoxFile(tmp_path / name).read(None)) == 1
        with pytest.raises(ValueError, match=r"line 1: the sequence has only 3 frames"):
            BoxFile(tmp_path / name).read(3)


def test_detections_have_no_classes() -> None:
    with pytest.raises(
        ValueError, match=r"classes need ground truth, .* got det/det\.txt: leave the classes out"
    ):
        BoxFile(Path("det/det.txt"), (3,))


def test_ground_truth_in_place_of_detections_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    detections, truth = (tmp_path / name / f"{name}.txt" for name in ("det", "gt"))
    for path in (detections, truth):
        path.parent.mkdir()
        path.write_text("")
    assert own_boxes(tmp_path) == detections
    assert not caplog.messages
    detections.unlink()
    assert own_boxes(tmp_path) == truth
    assert caplog.messages == [
        f"{detections} does not exist: boxes and ids are those of the ground truth, {truth}; give other "
        "boxes with --boxes"
    ]
    truth.unlink()
    assert own_boxes(tmp_path) == detections  # whoever reads it says that it is missing
