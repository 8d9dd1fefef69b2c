from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import pytest

from reid_gl.data.loading.images import UnreadableImageError
from reid_gl.data.mot.read import (
    iterate_frames,
    load_sequence,
    read_detections,
    read_ground_truth,
    require_frames,
)
from reid_gl.data.mot.write import (
    write_ground_truth,
)
from tests.data.made_up_sequence import write_sequence
from tests.data.mot.made_up_boxes import random_lines, rows_of
from tests.reference.slow_mot import slow_read


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("columns", [7, 9, 10])
def test_agrees_with_the_description_whatever_the_order_of_lines(
    tmp_path: Path, seed: int, columns: int
) -> None:
    text = "\n".join(random_lines(seed, columns)) + "\n\n"
    path = tmp_path / "boxes.txt"
    path.write_text(text)
    if columns != 9:
        assert rows_of(read_detections(path)) == slow_read(text)
    if columns != 7:
        assert rows_of(read_ground_truth(path)) == slow_read(text)


def test_by_hand_pixels_are_counted_from_zero(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("2,7,1,11,30,60,1,1,0.5\n1,3,101,1,20.5,40,0,7,1\n")
    truth = read_ground_truth(path, num_frames=2)
    assert truth.frames.tolist() == [1, 2]
    assert truth.ids.tolist() == [3, 7]
    assert truth.boxes.tolist() == [[100, 0, 20.5, 40], [0, 10, 30, 60]]
    assert truth.confidences.tolist() == [0, 1]
    assert truth.classes.tolist() == [7, 1]
    assert truth.visibilities.tolist() == [1, 0.5]
    assert (truth.rows_of(2), truth.rows_of(3)) == (slice(1, 2), slice(2, 2))
    assert truth.select(truth.classes == 1).ids.tolist() == [7]


@pytest.mark.parametrize("text", ["", "\n\n"])
def test_an_empty_file_has_no_boxes(tmp_path: Path, text: str) -> None:
    path = tmp_path / "det.txt"
    path.write_text(text)
    assert len(read_detections(path)) == len(read_ground_truth(path)) == 0
    assert read_detections(path).boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,-1,1,1,5,5\n", "line 1: expected 7 or 10 numbers, got 6"),
        ("1,-1,1,1,5,5,1\n1,-1,nan,1,5,5,1\n", "line 2: expected finite numbers"),
        ("1.5,-1,1,1,5,5,1\n", "line 1: frame and id must be whole"),
        ("0,-1,1,1,5,5,1\n", "line 1: frames are counted from 1"),
        (
            "9,1,1,1,5,5,1\n4,1,1,1,5,5,1\n8,1,1,1,5,5,1\n",
            r"line 1 \(1 more .*\): the sequence has only 4 frames",
        ),
        ("1,-1,1,1,-5,5,1\n", "line 1: width and height must not be negative"),
    ],
)
def test_broken_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "det.txt"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_detections(path, num_frames=4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,3,1,1,5,5,1,1.5,1\n", "line 1: the class must be a whole number"),
        (
            "1,3,1,1,5,5,1,1,1\n2,3,1,1,5,5,1,1,95\n",
            r"line 2: visibility must be from 0 to 1, or -1 if unknown",
        ),
        ("1,3,1,1,5,5,1,1,-0.5\n", "line 1: visibility must be from 0 to 1"),
    ],
)
def test_broken_lines_of_ground_truth_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "gt.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_ground_truth(tmp_path / "gt.txt")


def test_what_ground_truth_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "gt.txt").write_text("2,7,1,11,30,60,0.5,-1,-1\n1,3,1,1,20,40,1,3,0\n")
    truth = read_ground_truth(tmp_path / "gt.txt")
    assert truth.classes.tolist() == [3, 1]
    assert truth.visibilities.tolist() == [0, 1]
    assert truth.confidences.tolist() == [1, 0.5]
    write_ground_truth(tmp_path / "again.txt", truth)
    assert rows_of(read_ground_truth(tmp_path / "again.txt")) == rows_of(truth)


def test_a_person_is_in_one_place_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("2,3,1,1,5,5,1,1,1\n1,3,1,1,5,5,1,1,1\n2,3,9,9,5,5,1,1,1\n")
    with pytest.raises(ValueError, match=r"lines \[1, 3\]: frame 2 has id 3 twice"):
        read_ground_truth(path)


def test_files_that_are_not_there_are_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"det\.txt does not exist"):
        read_detections(tmp_path / "det.txt")
    with pytest.raises(FileNotFoundError, match=r"seqinfo\.ini does not exist: expected the folder"):
        load_sequence(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "it lacks 'Sequence'"),
        ("[Sequence]\nframeRate=25\n", "seqlength|seqLength"),
        (
            "[Sequence]\nframeRate=25\nseqLength=x\nimWidth=9\nimHeight=9\n",
            "a value in it is of another kind",
        ),
        ("frameRate=25\n", "no section headers"),
        ("[Sequence]\nframeRate=25\nseqLength=0\nimWidth=9\nimHeight=9\n", "must be above 0"),
    ],
)
def test_a_broken_seqinfo_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "seqinfo.ini").write_text(text)
    with pytest.raises(ValueError, match=rf"seqinfo\.ini.*({message})"):
        load_sequence(tmp_path)


def test_frames_come_in_order(tmp_path: Path) -> None:
    sequence = load_sequence(write_sequence(tmp_path / "a"))
    frames = list(iterate_frames(sequence))
    assert [number for number, _ in frames] == [1, 2, 3, 4]
    for number, image in frames:
        saved = cv2.imread(str(sequence.frame_path(number)))
        assert saved is not None
        assert (image == saved).all()


def test_missing_broken_and_wrong_images_are_named(tmp_path: Path) -> None:
    sequence = load_sequence(write_sequence(tmp_path / "a"))
    with pytest.raises(ValueError, match=r"000001\.jpg has 120 x 90 pixels, but seqinfo.ini says 64 x 90"):
        next(iterate_frames(replace(sequence, width=64)))
    sequence.frame_path(1).write_bytes(sequence.frame_path(1).read_bytes()[:400])
    with pytest.raises(UnreadableImageError, match=r"000001\.jpg"):
        next(iterate_frames(sequence))
    sequence.frame_path(2).unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of the 4 frames of a have no image, .*000002\.jpg"):
        require_frames(sequence)


def test_a_sequence_that_claims_ten_million_frames_is_refused_at_once(tmp_path: Path) -> None:
    folder = write_sequence(tmp_path / "a", num_frames=3)
    info = folder / "seqinfo.ini"
    info.write_text(info.read_text().replace("seqLength=3", f"seqLength={10**16}"))
    with pytest.raises(FileNotFoundError, match=r"9,999,999,999,999,997 of .* have no image, .*000004\.jpg"):
        require_frames(load_sequence(folder))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"1,1,2,3,4,5,1\n1e18,1,2,3,4,5,1\n",
            "line 2: frame and id must be whole numbers, of up to",
        ),
        (b"1,1,2,3,4,5,1\n\xff", "is not UTF-8 text"),
        (b"1," * 10**6, "line 1 of .* has more than 1,000,000 characters"),
    ],
)
def test_lines_that_no_tracker_writes(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "det.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_detections(tmp_path / "det.txt")
