from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.mot import iterate_frames, load_sequence, read_detections, read_ground_truth
from reid_gl.data.synthetic.sequences import SequenceSize, write_sequences

SIZE = SequenceSize(num_cameras=2, num_frames=40, num_people=4, width=320, height=180)


@pytest.fixture(scope="module")
def filmed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("sequences") / "film"
    assert write_sequences(out, seed=3, size=SIZE) == ["synthetic3-c1", "synthetic3-c2"]
    return out


def _digest(folder: Path) -> str:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return hashlib.sha256(b"".join(path.name.encode() + path.read_bytes() for path in paths)).hexdigest()


def test_every_file_is_there_and_can_be_read(filmed: Path) -> None:
    for name in ("synthetic3-c1", "synthetic3-c2"):
        sequence = load_sequence(filmed / name)
        assert sequence.num_frames == 40
        assert sum(1 for _ in iterate_frames(sequence)) == 40
        truth = read_ground_truth(filmed / name / "gt" / "gt.txt", num_frames=40)
        found = read_detections(filmed / name / "det" / "det.txt", num_frames=40)
        assert set(truth.ids.tolist()) <= {1, 2, 3, 4}
        assert truth.visibilities.min() >= 0
        assert truth.visibilities.max() <= 1
        assert 0.5 * len(truth) < len(found) < 1.3 * len(truth)


def test_nobody_is_in_two_cameras_at_once(filmed: Path) -> None:
    one, two = (
        read_ground_truth(filmed / name / "gt" / "gt.txt") for name in ("synthetic3-c1", "synthetic3-c2")
    )
    places = [set(zip(truth.frames.tolist(), truth.ids.tolist(), strict=True)) for truth in (one, two)]
    assert places[0]
    assert not places[0] & places[1]


def test_a_detection_is_near_a_person_as_a_rule(filmed: Path) -> None:
    truth = read_ground_truth(filmed / "synthetic3-c1" / "gt" / "gt.txt")
    found = read_detections(filmed / "synthetic3-c1" / "det" / "det.txt")
    near = 0
    for frame, box in zip(found.frames.tolist(), found.boxes, strict=True):
        people = truth.boxes[truth.rows_of(frame)]
        centres = people[:, :2] + people[:, 2:] / 2 - (box[:2] + box[2:] / 2)
        near += bool(len(people)) and bool((np.abs(centres) < 0.5 * people[:, 2:]).all(axis=1).any())
    assert near > 0.8 * len(found)


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_people(
    filmed: Path, tmp_path: Path
) -> None:
    small = SequenceSize(num_cameras=1, num_frames=3, num_people=3, width=160, height=90)
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        write_sequences(tmp_path / name, seed=seed, size=small)
    digests = [_digest(tmp_path / name) for name in "abc"]
    assert digests[0] == digests[1] != digests[2]
    layout = json.loads((filmed / "cameras.json").read_text())
    assert "synthetic3-c2" in json.dumps(layout)


def test_errors(filmed: Path, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match="choose another folder or remove this one"):
        write_sequences(filmed, size=SIZE)
    with pytest.raises(ValueError, match="seed is -1: expected at least 0"):
        write_sequences(tmp_path / "new", seed=-1)
    with pytest.raises(ValueError, match="num_frames is 0: expected 1 to 100000"):
        SequenceSize(num_frames=0)
    with pytest.raises(ValueError, match="frames of 900 x 100 are too wide"):
        SequenceSize(width=900, height=100)
