from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
import pytest

from reid_gl.cli.calibrate import add_arguments, run
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.inference.extractor.stored_thresholds import load_calibration
from tests.cli.test_commands import ROOT, call
from tests.evaluation.thresholds.made_up_features import made_up
from tests.pages import run_page

GUIDE = (ROOT / "docs" / "thresholds.md").read_text()


@pytest.fixture
def features(tmp_path: Path) -> Path:
    people = made_up(0)
    query = np.arange(len(people.pids)) % 2 == 0
    arrays = {}
    for name, chosen in (("query", query), ("gallery", ~query)):
        arrays[name] = people.embeddings[chosen]
        arrays[f"{name}_pids"], arrays[f"{name}_camids"] = people.pids[chosen], people.camids[chosen]
    np.savez(tmp_path / "features.npz", **arrays)
    return tmp_path / "features.npz"


def test_features_to_table_json_image_and_the_file_beside(features: Path, tmp_path: Path) -> None:
    exported, image = tmp_path / "net.onnx", tmp_path / "a.png"
    exported.write_bytes(b"exported")
    answer = call("calibrate", exported, "--features", features, "--output", image)
    assert answer.returncode == 0, answer.stderr
    assert len(answer.stdout.splitlines()) == 1
    result = json.loads(answer.stdout)
    assert (result["source"], result["picture"]) == (str(features), str(image))
    assert result["file"] == f"{exported}.json"
    kept = load_calibration(exported)
    assert kept == Calibration.from_dict({k: v for k, v in result.items() if k not in ("file", "picture")})
    assert image.read_bytes().startswith(b"\x89PNG")
    assert "95 % interval" in answer.stderr
    assert f"I figure: {image}" in answer.stderr
    assert "no threshold for a false accept rate of 0.0001" in answer.stderr


def test_weights_are_optional_and_told_from_overrides(features: Path, tmp_path: Path) -> None:
    answer = call("calibrate", "SEED", "1", "--features", features, "--output", tmp_path / "a.pdf")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["file"] is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to calibrate: give a weights file, or --features"),
        (["gone.ckpt"], "weights gone.ckpt do not exist"),
        (["--output", "a.txt"], r"cannot draw a.txt: its name must end in .png, .pdf, .svg"),
        (["SOLVR.X", "1"], "SOLVR.X"),
    ],
)
def test_a_mistake_is_said_before_the_work(words: list[str], message: str) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises((ValueError, OSError), match=message):
        run(parser.parse_intermixed_args(words))


def test_the_examples_of_the_guide_run() -> None:
    assert run_page("docs/thresholds.md") == ["True [ True False]", "[0 1 0]"]
