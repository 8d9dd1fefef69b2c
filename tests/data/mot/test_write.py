from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.mot.read import (
    MotBoxes,
    load_sequence,
    read_detections,
    read_ground_truth,
)
from reid_gl.data.mot.write import (
    write_detections,
    write_ground_truth,
    write_results,
    write_sequence_info,
)
from tests.data.made_up_sequence import (
    HEIGHT,
    WIDTH,
    write_sequence,
)
from tests.data.mot.made_up_boxes import random_lines, rows_of


def test_seqinfo_is_read_and_written(tmp_path: Path) -> None:
    sequence = load_sequence(write_sequence(tmp_path / "A-01"))
    assert (sequence.name, sequence.num_frames, sequence.width, sequence.height) == ("A-01", 4, WIDTH, HEIGHT)
    assert sequence.frame_path(3) == tmp_path / "A-01" / "img1" / "000003.jpg"
    write_sequence_info(replace(sequence, frame_rate=12.5))
    assert load_sequence(sequence.folder) == replace(sequence, frame_rate=12.5)


@pytest.mark.parametrize("seed", range(5))
def test_what_is_written_is_read_again(tmp_path: Path, seed: int) -> None:
    (tmp_path / "gt.txt").write_text("\n".join(random_lines(seed, 9)))
    boxes = read_ground_truth(tmp_path / "gt.txt")
    flags = replace(boxes, confidences=np.round(boxes.confidences))
    write_ground_truth(tmp_path / "again.txt", flags)
    again = np.array(rows_of(read_ground_truth(tmp_path / "again.txt")))
    assert again == pytest.approx(np.array(rows_of(flags)))
    for write in (write_results, write_detections):
        write(tmp_path / "out.txt", boxes)
        written = read_detections(tmp_path / "out.txt")
        assert written.boxes == pytest.approx(boxes.boxes)
        assert written.confidences == pytest.approx(boxes.confidences)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["again.txt", "gt.txt", "out.txt"]


def test_results_by_hand(tmp_path: Path) -> None:
    one = np.ones(1)
    tracks = MotBoxes(
        np.array([3]), np.array([5]), np.array([[0, 9.5, 20, 40]]), 0.875 * one, one.astype(int), one
    )
    write_results(tmp_path / "a.txt", tracks)
    assert (tmp_path / "a.txt").read_text() == "3,5,1.00,10.50,20.00,40.00,0.8750,-1,-1,-1\n"
    with pytest.raises(ValueError, match="results need ids from 1, got -1"):
        write_results(tmp_path / "b.txt", replace(tracks, ids=np.array([-1])))
