from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from reid_gl.cli.main import main


def test_the_command_films(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--cameras", "1", "--frames", "3", "--people", "2", "--frame-size", "128", "72"]
    out = tmp_path / "out"
    assert main(["make-synthetic", "--sequences", "--out", str(out), "--seed", "3", *words]) == 0
    assert json.loads(capsys.readouterr().out) == {"folder": str(out), "sequences": ["synthetic3-c1"]}
    image = cv2.imread(str(out / "synthetic3-c1" / "img1" / "000003.jpg"))
    assert image is not None
    assert image.shape == (72, 128, 3)


def test_the_command_renders_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--train-identities", "2", "--test-identities", "2", "--queries", "4", "--distractors", "0"]
    out = tmp_path / "out"
    answers = []
    for _ in range(2):
        assert main(["make-synthetic", "--out", str(out), "--workers", "1", *words]) == 0
        answers.append(json.loads(capsys.readouterr().out))
    assert answers[0] == answers[1]
    assert answers[0]["folder"] == str(out)
    assert len(list((out / "query").glob("*.jpg"))) == 4
