"""Every example of the README and the guides: commands are parsed, code is run."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from torch.distributed.run import get_args_parser

from reid_gl import load_dataset
from reid_gl.cli.experiment import split_overrides
from reid_gl.cli.main import COMMANDS, RENAMED
from reid_gl.config import load_experiment
from tests.made_up_people import write_people
from tests.tiny_checkpoint import write_checkpoint
from tests.tracking.coloured_people import make_extractor, noise_frame
from tests.tracking.made_up_detections import MadeUpDetections

ROOT = Path(__file__).parents[1]
PAGES = {
    str(page.relative_to(ROOT)): page.read_text()
    for page in [*ROOT.glob("*.md"), ROOT / "data" / "README.md", *(ROOT / "docs").glob("*.md")]
}
RUN_ELSEWHERE = {
    "CONTRIBUTING.md": "tests/test_contributing.py",
    "README.md": "tests/test_readme.py",
    "docs/evaluation.md": "tests/test_readme.py",
    "docs/gallery.md": "tests/gallery/test_guide.py",
    "docs/inference.md": "tests/inference/test_guide.py",
    "docs/losses.md": "tests/test_readme.py",
    "docs/retrieval.md": "tests/test_readme.py",
    "docs/thresholds.md": "tests/cli/test_calibrate.py",
}
"""Pages whose ```python blocks other tests run, all of them in one."""
RUN_HERE = {"data/README.md", "docs/export.md", "docs/trackers.md"}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], flags=re.S | re.M)


def commands() -> Iterator[list[str]]:
    for page in PAGES:
        for block in blocks(page, "bash"):
            for line in block.replace("\\\n", " ").splitlines():
                if words := shlex.split(line, comments=True):
                    yield words


def test_every_page_with_code_is_run_by_a_test() -> None:
    assert {page for page in PAGES if blocks(page, "python")} == set(RUN_ELSEWHERE) | RUN_HERE
    for page, test in RUN_ELSEWHERE.items():
        assert Path(page).stem in (ROOT / test).read_text(), f"{test} does not read {page}"


@pytest.mark.parametrize("words", list(commands()), ids=lambda words: " ".join(words)[:70])
def test_a_command_is_one_that_the_program_takes(words: list[str]) -> None:
    program, *others = [word for word in words if not re.match(r"[A-Z_]+=", word)]
    if program == "torchrun":
        launched = get_args_parser().parse_args(others)
        program, others = "python", [launched.training_script, *launched.training_script_args]
    if program == "make":
        assert f"\n{others[0]}:" in (ROOT / "Makefile").read_text()
    elif program == "pip":
        extra = re.search(r"\[(\w+)\]", others[1])
        assert extra is not None
        assert re.search(rf"^{extra[1]} = \[", (ROOT / "pyproject.toml").read_text(), flags=re.M)
    else:
        if program == "python":
            assert (ROOT / others[0]).is_file()
            others[0] = Path(others[0]).stem.replace("_", "-")
        else:
            assert program == "reid-gl"
        check_command(others)


def check_command(words: Sequence[str]) -> None:
    """Parse the options; read the configuration with the overrides, whose keys and values must be right."""
    name, *others = words
    assert name in COMMANDS
    command = importlib.import_module(f"reid_gl.cli.{RENAMED.get(name, name.replace('-', '_'))}")
    parser = argparse.ArgumentParser(exit_on_error=False)
    command.add_arguments(parser)
    options = parser.parse_intermixed_args(others)
    overrides = list(getattr(options, "overrides", ()))
    for name, value in vars(options).items():  # an option that takes several words also takes what follows it
        if isinstance(value, list) and name not in ("overrides", "vary"):
            overrides += split_overrides([str(word) for word in value])[1]
    key, *values = getattr(options, "vary", None) or [""]
    if file := getattr(options, "config_file", None):
        assert (ROOT / file).is_file()
        for pair in [[key, value] for value in values] or [[]]:
            load_experiment(ROOT / file, [*overrides, *pair])  # the switches go together


def run_with_files(code: str, folder: Path, monkeypatch: pytest.MonkeyPatch, **names: Any) -> dict[str, Any]:
    monkeypatch.chdir(folder)
    exec(code, names)
    return names


@pytest.fixture
def calibrated(tmp_path: Path) -> Path:
    """A folder with runs/market/model.ckpt, thresholds in it, and two images."""
    from tests.inference.extractor.test_stored_thresholds import CALIBRATION

    weights = tmp_path / "runs" / "market" / "model.ckpt"
    weights.parent.mkdir(parents=True)
    write_checkpoint(weights, calibration=asdict(CALIBRATION))
    for name in ("a.jpg", "b.jpg"):
        assert cv2.imwrite(str(tmp_path / name), noise_frame())
    return tmp_path


def test_the_extractor_of_the_readme(calibrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("README.md", "py")
    boxes = [[1, 2, 30, 60], [1, 2, 30, 60], [999, 0, 1000, 9]]
    names = run_with_files(code, calibrated, monkeypatch, frame=noise_frame(), boxes=boxes)
    assert names["valid"].tolist() == [True, True, False]
    assert names["same"] is True


def test_the_data_set_of_the_data_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_people(tmp_path / "data" / "market1501")
    (code,) = blocks("data/README.md", "python")
    names = run_with_files(code, tmp_path, monkeypatch)
    assert names["dataset"] == load_dataset("market1501", "data")


def test_the_files_of_the_export_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    from tests.inference.exported.test_open_exported import write_onnx

    shape = ("n", 3, 256, 128)
    own, foreign = tmp_path / "runs" / "market" / "model.onnx", tmp_path / "osnet.onnx"
    own.parent.mkdir(parents=True)
    (facts,) = blocks("docs/export.md", "json")
    write_onnx(own, shape).with_name("model.onnx.json").write_text(facts)
    write_onnx(foreign, shape)
    first, second = (
        run_with_files(f"from reid_gl import FeatureExtractor\n{code}", tmp_path, monkeypatch)["extractor"]
        for code in blocks("docs/export.md", "python")
    )
    image = np.full((256, 128, 3), (10, 90, 200), np.uint8)
    np.testing.assert_allclose(first(image), second(image), rtol=1e-6)  # the JSON says what the words say


TRACKERS = {
    section.splitlines()[0]: "\n".join(re.findall(r"```python\n(.*?)```", section, flags=re.S))
    for section in re.split(r"^## ", PAGES["docs/trackers.md"], flags=re.M)
}
BOXES = np.array([[10.0, 20.0, 30.0, 70.0], [60.0, 10.0, 90.0, 90.0]])


class _Remembers:
    """A tracker that keeps what it is given."""

    def __init__(self, *words: Any, **named: Any) -> None:
        self.words, self.named = words, named


class _BotSort(_Remembers):
    def update(self, detections: np.ndarray, frame: np.ndarray) -> Any:
        return self.named["reid_model"].get_features(detections, frame)


class _Model:
    """Calls back at once, with one tracker."""

    def __init__(self) -> None:
        self.tracker = SimpleNamespace(args=SimpleNamespace(with_reid=False, model="auto"), encoder=None)

    def add_callback(self, name: str, function: Any) -> None:
        assert name == "on_predict_batch_start"
        function(SimpleNamespace(trackers=[self.tracker]))


def given_to(section: str) -> dict[str, Any]:
    """What the text around a snippet takes for granted."""
    given: dict[str, Any] = {"extractor": make_extractor(), "frame": noise_frame(), "boxes": BOXES}
    others = {
        "BoxMOT": {"detections": BOXES},
        "deep_sort and StrongSORT": {
            "boxes_tlwh": [[10, 20, 20, 50]],
            "rows_of_det_txt": [[1, -1, 10, 20, 20, 50, 0.9]],
            "features_of_all_rows": np.ones((1, 24)),
        },
        "norfair": {"points": [[20, 45], [75, 50]], "threshold": 0.3},
        "Ultralytics": {"model": _Model()},
        "Roboflow and supervision": {"detections": MadeUpDetections(BOXES)},
    }
    return {**given, **others[section]}


@pytest.mark.parametrize(
    "section", ["BoxMOT", "deep_sort and StrongSORT", "norfair", "Ultralytics", "Roboflow and supervision"]
)
def test_a_snippet_for_a_tracker(section: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, classes in {
        "boxmot": {"BotSort": _BotSort},
        "norfair": {"Detection": _Remembers, "Tracker": _Remembers},
    }.items():
        module = ModuleType(name)
        vars(module).update(classes)
        monkeypatch.setitem(sys.modules, name, module)
    names = run_with_files(TRACKERS[section], tmp_path, monkeypatch, **given_to(section))
    if section == "BoxMOT":
        assert names["tracks"].shape == (2, 24)
    elif section == "deep_sort and StrongSORT":
        assert np.load(tmp_path / "detections" / "MOT17-02.npy").shape == (1, 34)
    elif section == "norfair":
        assert [one.named["embedding"].shape for one in names["detections"]] == [(24,), (24,)]
    elif section == "Ultralytics":
        assert names["model"].tracker.encoder is names["encoder"]
    else:
        assert names["detections"].data["embedding"].shape == (2, 24)


def test_the_extractor_of_the_trackers_page(calibrated: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = (code for section, code in TRACKERS.items() if "FeatureExtractor(" in code)
    assert run_with_files(code, calibrated, monkeypatch)["extractor"].embedding_dim == 512
