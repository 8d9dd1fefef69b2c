from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reid_gl.config import load_config
from reid_gl.experiment import export
from reid_gl.experiment.export import find_images, run_export
from reid_gl.inference.exporting.export_settings import ExportSettings
from reid_gl.inference.extractor.foreign import NOTHING_SAID


def test_images_of_a_folder_and_those_inside(tmp_path: Path) -> None:
    for name in ("b.JPG", "a/c.png", "a/notes.txt", ".hidden.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [sample.path for sample in find_images(tmp_path)] == [
        str(tmp_path / "a" / "c.png"),
        str(tmp_path / "b.JPG"),
    ]
    with pytest.raises(FileNotFoundError, match=r"no images \(.jpg, .*nowhere: give a folder with crops"):
        find_images(tmp_path / "nowhere")


class Export:
    """Stands for export_weights and for the scoring, and notes what it is given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.images: list[str] = []
        monkeypatch.setattr(export, "export_weights", self.export)
        monkeypatch.setattr(export, "load_embedder", lambda weights, foreign, *, flip: (weights, foreign))
        monkeypatch.setattr(export, "_score", lambda reference, file, *others: {"file": file})

    def export(
        self, weights: Path, settings: ExportSettings, *, images: Any, **others: Any
    ) -> dict[str, Any]:
        self.images = [sample.path for sample in images]
        return {"file": "net.onnx", **others}


def test_without_a_data_set_nothing_is_scored_and_nothing_real_is_compared(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exporting = Export(monkeypatch)
    result = run_export("net.ckpt", ExportSettings("onnx"), out="here", force=True)
    assert result == {"file": "net.onnx", "foreign": NOTHING_SAID, "out": "here", "force": True}
    assert exporting.images == []


def test_images_come_from_the_training_set_or_from_a_folder(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exporting = Export(monkeypatch)
    config = load_config(None, words)
    result = run_export("net.ckpt", ExportSettings("onnx"), config=config)
    assert result["mAP"] == {"file": "net.onnx"}
    assert len(exporting.images) == 48
    assert all("bounding_box_train" in path for path in exporting.images)
    (tmp_path / "a.png").touch()
    result = run_export("net.ckpt", ExportSettings("onnx"), config=config, calibration_images=tmp_path)
    assert exporting.images == [str(tmp_path / "a.png")]
    assert "mAP" in result
