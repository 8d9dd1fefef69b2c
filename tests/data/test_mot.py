from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_gl.data.mot import (
    MotBoxes,
    MotSequence,
    iterate_frames,
    load_sequence,
    read_detections,
    read_ground_truth,
)
from reid_gl.data.mot_write import (
    write_detections,
    write_ground_truth,
    write_results,
    write_sequence_info,
)


def make_sequence(folder: Path, *, num_frames: int = 3) -> MotSequence:
    """Grey frames of 40 x 30 pixels, the n-th of brightness 10 n."""
    (folder / "img1").mkdir(parents=True)
    sequence = MotSequence(folder, folder.name, folder / "img1", 25.0, num_frames, 40, 30, ".png")
    write_sequence_info(sequence)
    for frame in range(1, num_frames + 1):
        cv2.imwrite(str(sequence.frame_path(frame)), np.full((30, 40, 3), 10 * frame, np.uint8))
    return sequence


def _write(path: Path, *lines: str, end: str = "\n") -> Path:
    path.write_text(end.join(lines) + end)
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("tail", ["", ",-1,-1,-1"])
def test_detections_of_seven_or_ten_numbers_in_any_order(tail: str, end: str, tmp_path: Path) -> None:
    lines = [f"2,-1,11,21,30,60,0.5{tail}", "", f"1,-1,1,1,5,6,0.9{tail}", f"2,-1,3,4,5,6,0.7{tail}"]
    found = read_detections(_write(tmp_path / "det.txt", *lines, end=end), num_frames=2)
    assert found.frames.tolist() == [1, 2, 2]
    assert found.boxes.tolist() == [[0, 0, 5, 6], [10, 20, 30, 60], [2, 3, 5, 6]]  # counted from 0
    assert found.confidences.tolist() == [0.9, 0.5, 0.7]
    assert found.rows_of(2) == slice(1, 3)
    assert found.rows_of(3) == slice(3, 3)


def test_ground_truth_of_nine_or_ten_numbers(tmp_path: Path) -> None:
    nine = read_ground_truth(_write(tmp_path / "gt.txt", "1,7,1,1,5,6,0,8,0.25"))
    assert (nine.ids[0], nine.confidences[0], nine.classes[0], nine.visibilities[0]) == (7, 0, 8, 0.25)
    ten = read_ground_truth(_write(tmp_path / "gt.txt", "1,7,1,1,5,6,1,-1,-1,-1"))
    assert (ten.classes[0], ten.visibilities[0]) == (1, 1)


def test_no_lines_are_no_boxes(tmp_path: Path) -> None:
    assert len(read_detections(_write(tmp_path / "det.txt"))) == 0


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1,-1,1,1,5,6", "det.txt line 2: expected 7 or 10 numbers, got 6"),
        ("1,-1,1,1,x,6,1", "det.txt line 2: expected numbers with commas between them"),
        ("1,-1,1,1,nan,6,1", "det.txt line 2: expected finite numbers"),
        ("1.5,-1,1,1,5,6,1", "det.txt line 2: frame and id must be whole numbers"),
        ("0,-1,1,1,5,6,1", "det.txt line 2: frames are counted from 1"),
        ("4,-1,1,1,5,6,1", "det.txt line 2: the sequence has 3 frames only"),
        ("1,-1,1,1,-5,6,1", "det.txt line 2: width and height must not be negative"),
        ("1,-1,1,1,5,6,1,-1,-1,-1", "det.txt line 2 has 10 numbers, line 1 has 7"),
    ],
)
def test_a_broken_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = _write(tmp_path / "det.txt", "1,-1,1,1,5,6,1", line)
    with pytest.raises(ValueError, match=message):
        read_detections(path, num_frames=3)


def test_an_id_twice_in_a_frame_and_a_file_that_is_not_there(tmp_path: Path) -> None:
    path = _write(tmp_path / "gt.txt", "1,7,1,1,5,6,1,1,1", "2,7,1,1,5,6,1,1,1", "1,7,9,9,5,6,1,1,1")
    with pytest.raises(ValueError, match=r"lines \[1, 3\]: frame 1 has id 7 twice"):
        read_ground_truth(path)
    with pytest.raises(FileNotFoundError, match=r"none.txt does not exist"):
        read_detections(tmp_path / "none.txt")


def _boxes(ids: list[int]) -> MotBoxes:
    num = len(ids)
    rng = np.random.default_rng(0)
    return MotBoxes(
        frames=np.sort(rng.integers(1, 9, num)),
        ids=np.array(ids),
        boxes=rng.uniform(0, 90, (num, 4)).round(2),
        confidences=np.ones(num),
        classes=np.ones(num, np.int64),
        visibilities=rng.random(num).round(4),
    )


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    truth = _boxes([3, 1, 2, 5, 4])
    write_ground_truth(tmp_path / "gt.txt", truth)
    again = read_ground_truth(tmp_path / "gt.txt")
    for name, values in vars(truth).items():
        np.testing.assert_allclose(getattr(again, name), values, atol=1e-9, err_msg=name)
    write_results(tmp_path / "results.txt", truth)
    write_detections(tmp_path / "det.txt", truth)
    for name in ("results.txt", "det.txt"):
        np.testing.assert_allclose(read_detections(tmp_path / name).boxes, truth.boxes, atol=1e-9)
        assert (tmp_path / name).read_text().splitlines()[0].endswith(",1.0000,-1,-1,-1")
    with pytest.raises(ValueError, match="results need ids from 1, got -1"):
        write_results(tmp_path / "results.txt", _boxes([1, -1]))


def test_a_sequence_and_its_frames(tmp_path: Path) -> None:
    sequence = make_sequence(tmp_path / "street")
    assert load_sequence(tmp_path / "street") == sequence
    frames = [(number, int(image[0, 0, 0])) for number, image in iterate_frames(sequence)]
    assert frames == [(1, 10), (2, 20), (3, 30)]
    sequence.frame_path(2).unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of the 3 frames of street have no picture.*000002.png"):
        next(iterate_frames(sequence))
    cv2.imwrite(str(sequence.frame_path(2)), np.zeros((9, 9, 3), np.uint8))
    with pytest.raises(ValueError, match=r"has 9 x 9 pixels, but seqinfo.ini says 40 x 30"):
        list(iterate_frames(sequence))


def test_a_seqinfo_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="expected the folder of a MOT Challenge sequence"):
        load_sequence(tmp_path)
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\n")
    with pytest.raises(ValueError, match=r"is no seqinfo.ini: expected .Sequence. with frameRate"):
        load_sequence(tmp_path)
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nframeRate=25\nseqLength=0\nimWidth=4\nimHeight=4\n")
    with pytest.raises(ValueError, match="must be above 0"):
        load_sequence(tmp_path)
