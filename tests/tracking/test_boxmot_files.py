from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.tracking import write_boxmot_cache


def _write(folder: Path, rows: object, features: object, source: str = "MOT/train/MOT17-02") -> None:
    write_boxmot_cache(folder, "MOT17-02.a", rows, features, reid_name="ours", source=source)  # type: ignore[arg-type]


def _case(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rows = rng.uniform(0, 500, (9, 7)).round(2)
    rows[:, 0] = rng.integers(1, 5, 9)  # frames in any order
    features = rng.standard_normal((9, 16)).astype(np.float32)
    return rows, features / np.linalg.norm(features, axis=1, keepdims=True)


@pytest.mark.parametrize("seed", range(5))
def test_line_of_detections_is_row_of_embeddings(tmp_path: Path, seed: int) -> None:
    rows, features = _case(seed)
    _write(tmp_path, rows, features)
    lines = (tmp_path / "dets/MOT17-02.a.txt").read_text().splitlines()
    embeddings = (tmp_path / "embs/ours/MOT17-02.a.txt").read_text().splitlines()
    assert lines[0] == "# MOT/train/MOT17-02"
    assert len(lines) - 1 == len(embeddings) == 9
    for line, embedding, row, feature in zip(lines[1:], embeddings, rows, features, strict=True):
        assert [float(word) for word in line.split(" ")] == pytest.approx(row, abs=1e-6)
        assert [float(word) for word in embedding.split(" ")] == pytest.approx(feature, abs=1e-6)
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["MOT17-02.a.txt", "MOT17-02.a.txt"]


def test_the_reader_joins_both_and_asks_for_one_frame(tmp_path: Path) -> None:
    rows, features = _case(0)
    _write(tmp_path, rows, features)
    detections = np.loadtxt(tmp_path / "dets/MOT17-02.a.txt", skiprows=1)
    joined = np.concatenate([detections, np.loadtxt(tmp_path / "embs/ours/MOT17-02.a.txt")], axis=1)
    for frame in range(1, 5):
        of_frame = joined[joined[:, 0] == frame, 1:]
        expected = np.concatenate([rows, features], axis=1)[rows[:, 0] == frame, 1:]
        assert of_frame == pytest.approx(expected, abs=1e-6)


def test_a_sequence_without_detections_has_a_header(tmp_path: Path) -> None:
    _write(tmp_path, np.empty((0, 7)), np.empty((0, 16)), source="Straße")
    assert (tmp_path / "dets/MOT17-02.a.txt").read_text(encoding="utf-8") == "# Straße\n"
    assert (tmp_path / "embs/ours/MOT17-02.a.txt").read_text() == ""


def test_errors(tmp_path: Path) -> None:
    rows, features = _case(1)
    with pytest.raises(ValueError, match=r"7 columns \(frame, x1, y1, x2, y2, confidence, class\), got 6"):
        _write(tmp_path, rows[:, :6], features)
    with pytest.raises(ValueError, match=r"got \(9, 7\) and \(8, 16\)"):
        _write(tmp_path, rows, features[:8])
    with pytest.raises(ValueError, match="source must be one line"):
        _write(tmp_path, rows, features, source="two\nlines")
    rows[3, 0] = 0
    with pytest.raises(ValueError, match="row 3 has no frame number"):
        _write(tmp_path, rows, features)
    assert not any(tmp_path.iterdir())
