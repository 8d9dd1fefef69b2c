"""benchmarks/boxmot_check.py with a stand-in for BoxMOT, which is not installed."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import pytest

from reid_gl.inference.extractor import feature_extractor as extractor_module
from tests.tracking.coloured_people import BLUE, RED, make_extractor

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "boxmot_check.py"


class _NearestColour:
    """A tracker with BoxMOT's interface: who looks like the first frame's first person is number 1."""

    def __init__(self, reid_model: Any) -> None:
        self.model = reid_model
        self.first: np.ndarray | None = None

    def update(self, detections: np.ndarray, frame: np.ndarray) -> np.ndarray:
        features = self.model.get_features(detections[:, :4], frame)
        if len(features) and self.first is None:
            self.first = features[0]
        numbers = [1 if feature @ self.first > 0.9 else 2 for feature in features]
        tail = np.stack([numbers, detections[:, 4], detections[:, 5], np.arange(len(detections))], axis=1)
        return np.concatenate([detections[:, :4], tail], axis=1)


def _write_sequence(folder: Path) -> None:
    (folder / "img1").mkdir(parents=True)
    (folder / "det").mkdir()
    for number, (left, right) in enumerate([(RED, BLUE), (BLUE, RED), (RED, RED)], start=1):
        frame = np.full((60, 80, 3), 128, np.uint8)
        frame[10:50, 10:30], frame[10:50, 50:70] = left, right
        assert cv2.imwrite(str(folder / "img1" / f"{number:06d}.png"), frame)
    rows = [f"{number},-1,{x},10,20,40,0.5,-1,-1,-1" for number in (2, 1) for x in (10, 50)]
    (folder / "det" / "det.txt").write_text("\n".join(rows) + "\n")


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["boxmot_check.py", "--weights", "x.ckpt", "--sequence", str(folder)])
    runpy.run_path(str(SCRIPT), run_name="__main__")


def test_prints_results_of_each_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_sequence(tmp_path)
    boxmot = ModuleType("boxmot")
    boxmot.BotSort = _NearestColour  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "boxmot", boxmot)
    monkeypatch.setattr(extractor_module, "FeatureExtractor", lambda weights, color_order: make_extractor())
    _run(tmp_path, monkeypatch)
    assert capsys.readouterr().out.splitlines() == [
        "1,1,10.00,10.00,20.00,40.00,0.5000,-1,-1,-1",
        "1,2,50.00,10.00,20.00,40.00,0.5000,-1,-1,-1",
        "2,2,10.00,10.00,20.00,40.00,0.5000,-1,-1,-1",
        "2,1,50.00,10.00,20.00,40.00,0.5000,-1,-1,-1",
    ]


def test_says_what_to_do_without_boxmot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "boxmot", None)
    with pytest.raises(SystemExit, match=r"BoxMOT is not installed here \(AGPL-3\.0\)"):
        _run(tmp_path, monkeypatch)
