from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.cli.main import main
from tests.data.made_up_sequence import PEOPLE, everybody, write_sequence, write_two_cameras


def test_the_command_warns_of_queries_that_do_not_count(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    two_cameras = write_two_cameras(tmp_path / "place")
    assert main(["mot-to-reid", str(two_cameras), "--out", str(tmp_path / "a"), "--stride", "2"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["queries_with_match"] == 0
    assert "6 of 6 queries show a person who is not seen by another camera" in output.err
    assert "--shared-identities" in output.err
    words = ["mot-to-reid", str(two_cameras), "--out", str(tmp_path / "b"), "--shared-identities"]
    assert main(words) == 0
    assert "queries show" not in capsys.readouterr().err
    assert main(words) == 1
    assert "exists" in capsys.readouterr().err


def test_classes_are_those_of_the_option(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cars = [line.replace(",1,1,1", ",1,3,1") for line in everybody()]
    words = ["mot-to-reid", str(write_sequence(tmp_path / "cars", cars)), "--out", str(tmp_path / "crops")]
    assert main(words) == 1
    assert "gt.txt has no box of class 1 to consider" in capsys.readouterr().err
    assert main([*words, "--classes", "3"]) == 0
    assert json.loads(capsys.readouterr().out)["identities"] == PEOPLE
