from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.evaluation.sequence_features import load_sequence_features


def test_all_rows_whatever_their_split(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    words = np.array(["train", "query", "gallery"])
    np.savez(path, features=np.eye(3), pids=[1, 2, 2], camids=[0, 0, 1], frames=[5, 6, 7], splits=words)
    features, frames = load_sequence_features(path)
    assert features.embeddings.tolist() == np.eye(3).tolist()
    assert (features.pids.tolist(), features.camids.tolist()) == ([1, 2, 2], [0, 0, 1])
    assert frames.tolist() == [5, 6, 7]


def test_ground_truth_of_a_sequence_counts_ids_from_zero_and_boxes_may_be_empty(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    np.savez(path, features=np.eye(3), ids=[0, -1, 4], frames=[1, 1, 2], valid=[True, False, True])
    features, frames = load_sequence_features(path)
    assert (features.pids.tolist(), features.camids.tolist(), frames.tolist()) == ([1, 5], [-1, -1], [1, 2])


def test_files_that_do_not_do(tmp_path: Path) -> None:
    path = tmp_path / "f.npz"
    np.savez(path, features=np.eye(3), pids=[1, 2, 3])
    with pytest.raises(ValueError, match=r"f\.npz has no frames: extract from a sequence with --boxes"):
        load_sequence_features(path)
    np.savez(path, features=np.eye(3), pids=[1, 2, 3], frames=[1, 2])
    with pytest.raises(ValueError, match="frames must be 3 numbers or words, got 2"):
        load_sequence_features(path)
    with pytest.raises(ValueError, match=r"a\.csv: expected a \.npz file that `reid-gl extract` wrote"):
        load_sequence_features(tmp_path / "a.csv")
