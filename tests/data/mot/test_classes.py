from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.data.mot.classes import select_classes
from reid_gl.data.mot.read import (
    read_ground_truth,
)


def test_classes_that_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "gt.txt"
    path.write_text("1,1,1,1,5,5,1,3,1\n1,2,1,1,5,5,0.4,0,1\n1,3,1,1,5,5,0,3,1\n2,1,1,1,5,5,1,3,1\n")
    truth = read_ground_truth(path)
    assert select_classes(truth, (3,), path).frames.tolist() == [1, 2]
    assert select_classes(truth, (0, 3), path).ids.tolist() == [1, 2, 1]
    assert not caplog.messages
    assert not len(select_classes(truth, (1, 2), path))
    assert caplog.messages == [
        f"{path} has no box of class 1, 2 to consider; its classes: 0 (1 boxes), 3 (2 boxes), and 1 boxes "
        "have a flag of 0 or less. Choose others with --classes"
    ]
    caplog.clear()
    path.write_text("\n")
    assert not len(select_classes(read_ground_truth(path), (1,), path))
    assert caplog.messages == [f"{path} has no line, and so no box"]
