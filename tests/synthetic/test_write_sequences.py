from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.data.mot.read import iterate_frames, load_sequence, read_detections, read_ground_truth
from reid_gl.synthetic.casting import person_distance
from reid_gl.synthetic.plan import SyntheticSize, draw_cast
from reid_gl.synthetic.render import bystanders
from reid_gl.synthetic.write_sequences import (
    LAYOUT_FILE,
    SequenceSize,
    draw_sequence_people,
    write_sequences,
)

SMALL = SequenceSize(num_cameras=2, num_frames=60, num_people=5, width=160, height=90, frame_rate=5)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("filmed") / "out"
    assert write_sequences(out, seed=1, size=SMALL) == ["synthetic1-c1", "synthetic1-c2"]
    return out


def _bytes(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*.*"))}


def test_same_seed_same_bytes_and_another_seed_other_ones(written: Path, tmp_path: Path) -> None:
    state = np.random.get_state()[1]  # noqa: NPY002 - the global state must stay as it is
    write_sequences(tmp_path / "same", seed=1, size=SMALL)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    assert _bytes(tmp_path / "same") == _bytes(written)
    write_sequences(tmp_path / "other", seed=2, size=SMALL)
    mine = {data for name, data in _bytes(written).items() if name.endswith(".jpg")}
    assert not mine & set(_bytes(tmp_path / "other").values())


def test_the_files_are_those_of_mot_challenge(written: Path) -> None:
    for camera in (1, 2):
        folder = written / f"synthetic1-c{camera}"
        sequence = load_sequence(folder)
        assert (sequence.name, sequence.num_frames, sequence.frame_rate) == (folder.name, 60, 5)
        assert sum(image.shape == (90, 160, 3) for _, image in iterate_frames(sequence)) == 60
        truth = read_ground_truth(folder / "gt" / "gt.txt", num_frames=60)
        detections = read_detections(folder / "det" / "det.txt", num_frames=60)
        assert set(truth.ids.tolist()) <= set(range(1, 6))
        assert set(detections.ids.tolist()) == {-1}
        assert len((folder / "gt" / "gt.txt").read_text().splitlines()[0].split(",")) == 9
        assert len((folder / "det" / "det.txt").read_text().splitlines()[0].split(",")) == 10
        assert 0.4 * len(truth) < len(detections) < len(truth)
        assert truth.visibilities.min() < 0.3
        assert truth.visibilities.max() > 0.99


def test_people_are_shared_but_never_in_two_cameras_at_once(written: Path) -> None:
    truths = [read_ground_truth(path) for path in sorted(written.glob("*/gt/gt.txt"))]
    seen = [set(zip(truth.frames.tolist(), truth.ids.tolist(), strict=True)) for truth in truths]
    assert not seen[0] & seen[1]
    assert len(set(truths[0].ids.tolist()) & set(truths[1].ids.tolist())) >= 3


def test_somebody_comes_again(written: Path) -> None:
    gaps = []
    for path in written.glob("*/gt/gt.txt"):
        truth = read_ground_truth(path)
        for identity in np.unique(truth.ids):
            gaps += np.diff(truth.frames[truth.ids == identity]).tolist()
    assert max(gaps) > 3


def test_the_layout_says_how_the_cameras_stand(written: Path) -> None:
    layout = json.loads((written / LAYOUT_FILE).read_text())
    assert [entry["name"] for entry in layout["sequences"]] == ["synthetic1-c1", "synthetic1-c2"]
    assert [entry["camera"] for entry in layout["sequences"]] == [1, 2]
    assert layout["shortest_way_seconds"] == [[0.0, 1.5], [1.5, 0.0]]
    flags = (layout["synchronised"], layout["identities_shared"], layout["views_overlap"])
    assert flags == (True, True, False)


def test_the_people_are_nobody_of_the_images() -> None:
    for seed in range(3):
        images = [*draw_cast(seed, SyntheticSize()), *bystanders()]
        for person in draw_sequence_people(seed, 12):
            assert min(person_distance(person, other) for other in images) > 0


def test_a_run_that_dies_leaves_nothing(tmp_path: Path) -> None:
    def die(done: int, total: int) -> None:
        if done == 61:
            raise RuntimeError(f"died after {done} of {total}")

    with pytest.raises(RuntimeError, match="died after 61 of 120"):
        write_sequences(tmp_path / "out", size=SMALL, progress=die)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_refused(written: Path) -> None:
    before = _bytes(written)
    with pytest.raises(FileExistsError, match="exists: choose another folder"):
        write_sequences(written, seed=1, size=SMALL)
    assert before == _bytes(written)


@pytest.mark.parametrize(
    "wrong",
    [{"num_cameras": 7}, {"num_frames": 0}, {"num_people": 0}, {"width": 10}, {"frame_rate": 0.5}],
)
def test_wrong_sizes_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} is .*: expected"):
        SequenceSize(**wrong)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="too wide: expected at most 4 : 1"):
        SequenceSize(width=1000, height=200)
