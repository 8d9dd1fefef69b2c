from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.cli.main import main
from tests.made_up_people import write_people


def test_results_alone_go_to_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = write_people(tmp_path / "market1501")
    words = ["DATA.ROOT", str(people), "DATA.NUM_WORKERS", "0", "INPUT.SIZE", "[64,32]"]
    assert main(["color-histogram", *words]) == 0
    answer = capsys.readouterr()
    assert answer.out.count("\n") == 1
    scores = json.loads(answer.out)
    assert scores["feature"] == "colour histogram"
    assert scores["rank1"] > 0.5  # blocks of colour
    assert "rank-1" in answer.err
