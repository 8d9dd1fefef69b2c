from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reid_gl.cli import demo
from reid_gl.cli.main import main
from reid_gl.training.fit import Interrupted

SUMMARY = {
    "colour_histogram": {"rank1": 0.25},
    "untrained": {"rank1": 0.125},
    "trained": {"rank1": 0.75},
    "seconds": {"training": 3},
}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    noted: list[tuple[Any, ...]] = []

    def run(folder: Path, data: Path, *, seed: int, overrides: Any, stop_signal: Any, progress: Any) -> Any:
        noted.append((folder, data, seed, overrides))
        progress(1, 2)
        progress(2, 2)
        if "SEED" in overrides:
            raise Interrupted(15)
        return SUMMARY

    monkeypatch.setattr(demo, "run_demo", run)
    monkeypatch.setattr(demo, "prepare_torch", lambda seed: None)
    return noted


def test_the_rows_of_the_table_and_the_summary(
    calls: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["demo"]) == 0
    assert calls == [(Path("runs/demo"), Path("data/synthetic"), 0, ())]
    answer = capsys.readouterr()
    assert json.loads(answer.out) == SUMMARY
    rows = [
        line.rsplit(maxsplit=1)
        for line in answer.err.splitlines()
        if "network" in line or "histogram" in line
    ]
    assert [(name.strip(), value) for name, value in rows] == [
        ("colour histogram", "25.0"),
        ("untrained network", "12.5"),
        ("trained network", "75.0"),
    ]


def test_each_seed_has_its_people(calls: list[tuple[Any, ...]]) -> None:
    assert main(["demo", "--seed", "3"]) == 0
    assert main(["demo", "--seed", "3", "--data", "people", "--out", "here", "INPUT.PAD", "2"]) == 0
    assert calls == [
        (Path("runs/demo"), Path("data/synthetic_3"), 3, ()),
        (Path("here"), Path("people"), 3, ("INPUT.PAD", "2")),
    ]


def test_a_signal_is_the_exit_code(calls: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["demo", "SEED", "1"]) == 143
    assert len(calls) == 1
    answer = capsys.readouterr()
    assert answer.out == ""
    assert "stopped by signal 15; run the demo again to resume" in answer.err
