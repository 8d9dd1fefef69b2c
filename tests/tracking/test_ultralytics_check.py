"""benchmarks/ultralytics_check.py with a stand-in for Ultralytics, which is not installed."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest

from reid_gl.inference.extractor import feature_extractor as extractor_module
from tests.tracking.coloured_people import BLUE, RED, make_extractor

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "ultralytics_check.py"


class _NearestColour:
    """Who looks like the first frame's first person is number 7, everybody else 8."""

    encoder: Any = None

    def __init__(self, args: SimpleNamespace) -> None:
        self.args = args
        self.first: np.ndarray | None = None

    def update(self, boxes: np.ndarray, img: np.ndarray) -> np.ndarray:
        corners = boxes[:, :4]
        centres = (
            np.concatenate([corners[:, :2] + corners[:, 2:], 2 * (corners[:, 2:] - corners[:, :2])], 1) / 2
        )
        features = self.encoder(img, centres) if self.args.model != "auto" and len(boxes) else []
        if len(features) and self.first is None:
            self.first = features[0]
        numbers = [7 if row @ self.first > 0.9 else 8 for row in features] or [7] * len(boxes)
        tail = np.stack([numbers, boxes[:, 4], boxes[:, 5], np.arange(len(boxes))], axis=1)
        return np.concatenate([corners, tail], axis=1)


class _Deaf(_NearestColour):
    """Never asks."""

    def update(self, boxes: np.ndarray, img: np.ndarray) -> np.ndarray:
        self.args.model = "auto"
        return super().update(boxes, img)


@pytest.fixture
def sequence(tmp_path: Path) -> Path:
    (tmp_path / "img1").mkdir()
    (tmp_path / "det").mkdir()
    for number, (left, right) in enumerate([(RED, BLUE), (BLUE, RED), (RED, RED)], start=1):
        frame = np.full((60, 80, 3), 128, np.uint8)
        frame[10:50, 10:30], frame[10:50, 50:70] = left, right
        assert cv2.imwrite(str(tmp_path / "img1" / f"{number:06d}.png"), frame)
    rows = [f"{number},-1,{x},10,20,40,0.5,-1,-1,-1" for number in (2, 1) for x in (10, 50)]
    (tmp_path / "det" / "det.txt").write_text("\n".join(rows) + "\n")
    return tmp_path


def _install(folder: Path, trackers: dict[str, type], monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "cfg" / "trackers").mkdir(parents=True)
    for name in trackers:
        (folder / "cfg" / "trackers" / f"{name}.yaml").write_text("with_reid: False\nmodel: auto\n")
    modules: dict[str, dict[str, Any]] = {
        "ultralytics": {"__version__": "8.4.190", "__file__": str(folder / "__init__.py")},
        "ultralytics.trackers": {},
        "ultralytics.trackers.track": {"TRACKER_MAP": trackers},
        "ultralytics.engine": {},
        "ultralytics.engine.results": {"Boxes": lambda boxes, shape: boxes},
        "ultralytics.utils": {"IterableSimpleNamespace": SimpleNamespace},
    }
    for name, members in modules.items():
        module = ModuleType(name)
        vars(module).update(members)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(extractor_module, "FeatureExtractor", lambda weights, color_order: make_extractor())


def _run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["x", "--weights", "x.ckpt", "--sequence", str(folder)])
    with pytest.raises(SystemExit) as stop:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    return stop.value.code


@pytest.mark.parametrize(("kind", "calls", "differ"), [(_NearestColour, 2, 2), (_Deaf, 0, 0)])
def test_calls_are_counted_and_compared_with_constant_features(
    kind: type,
    calls: int,
    differ: int,
    sequence: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _install(sequence / "package", {"botsort": kind, "bytetrack": _Deaf}, monkeypatch)
    assert _run(sequence, monkeypatch) == (not calls)
    (line,) = capsys.readouterr().out.splitlines()
    shown = json.loads(line)
    assert (shown["version"], shown["tracker"], shown["frames"]) == ("8.4.190", "botsort", 2)
    assert (shown["calls"], shown["boxes_that_differ"]) == (calls, differ)
    assert shown["identities"] == (2 if calls else 1)


def test_says_what_to_do_without_ultralytics(sequence: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ultralytics", None)
    assert "Ultralytics is not installed here (AGPL-3.0)" in str(_run(sequence, monkeypatch))
