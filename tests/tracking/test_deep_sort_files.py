from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.tracking import write_deep_sort_file


def _case(seed: int, columns: int = 10) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = np.full((12, columns), -1.0)
    rows[:, 0] = rng.integers(1, 5, 12)
    rows[:, 2:7] = rng.uniform(1, 200, (12, 5))
    return rows, rng.standard_normal((12, 8)).astype(np.float32)


@pytest.mark.parametrize("columns", [7, 8, 10])
@pytest.mark.parametrize("seed", range(5))
def test_the_readers_find_box_confidence_and_feature(tmp_path: Path, columns: int, seed: int) -> None:
    rows, features = _case(seed, columns)
    write_deep_sort_file(tmp_path / "made" / "S.1.npy", rows, features)
    table = np.load(tmp_path / "made" / "S.1.npy", allow_pickle=False)
    assert table.dtype == np.float64
    assert table.shape == (12, 18)
    expected = []
    for frame in range(1, 5):  # stable inside a frame
        expected += [place for place in range(12) if rows[place, 0] == frame]
    for row, place in zip(table, expected, strict=True):
        bbox, confidence, feature = row[2:6], row[6], row[10:]
        assert bbox.tolist() == rows[place, 2:6].tolist()
        assert confidence == rows[place, 6]
        assert feature.tolist() == features[place].tolist()
        assert row[[1, 7, 8, 9]].tolist() == [-1.0] * 4
    assert [path.name for path in (tmp_path / "made").iterdir()] == ["S.1.npy"]


def test_strong_sort_divides_each_feature_of_a_frame_in_place(tmp_path: Path) -> None:
    rows, features = _case(0)
    write_deep_sort_file(tmp_path / "S.npy", rows, features)
    table = np.load(tmp_path / "S.npy", allow_pickle=False)
    frames = table[:, 0].astype(np.int64)
    for frame in range(frames.min(), frames.max() + 1):
        for row in table[frames == frame]:
            feature = row[10:]
            feature /= np.linalg.norm(feature)
            assert np.linalg.norm(feature) == pytest.approx(1.0)


def test_a_sequence_without_detections(tmp_path: Path) -> None:
    write_deep_sort_file(tmp_path / "S.npy", np.empty((0, 10)), np.empty((0, 8)))
    assert np.load(tmp_path / "S.npy", allow_pickle=False).shape == (0, 18)


def test_other_errors(tmp_path: Path) -> None:
    rows, features = _case(0)
    with pytest.raises(ValueError, match=r"deep_sort reads <sequence>\.npy, got S\.txt"):
        write_deep_sort_file(tmp_path / "S.txt", rows, features)
    with pytest.raises(ValueError, match=r"7 to 10 columns, as det\.txt, got 6"):
        write_deep_sort_file(tmp_path / "S.npy", rows[:, :6], features)
    with pytest.raises(ValueError, match=r"got \(12, 10\) and \(12,\)"):
        write_deep_sort_file(tmp_path / "S.npy", rows, features[:, 0])
    rows[4, 0] = 0
    with pytest.raises(ValueError, match="row 4 has no frame number"):
        write_deep_sort_file(tmp_path / "S.npy", rows, features)
    assert not any(tmp_path.iterdir())
