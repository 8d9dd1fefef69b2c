from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.cli.compare_losses import read_contenders
from tests.cli.test_commands import call
from tests.experiment.conftest import SMALL
from tests.made_up_people import write_people


def test_overrides_after_the_losses_are_told_apart() -> None:
    contenders, overrides = read_contenders(["ce", "ce+group", "SEED", "1", "DATA.ROOT", "x"], [])
    assert [one.name for one in contenders] == ["ce", "ce+group"]
    assert overrides == ["SEED", "1", "DATA.ROOT", "x"]


def test_overrides_after_the_values_are_told_apart() -> None:
    words = ["LOSS.GROUP.SELF_SIMILARITY", "True", "False", "SEED", "1"]
    contenders, overrides = read_contenders(["ce+group", "DATA.ROOT", "x"], words)
    assert [one.value for one in contenders] == ["True", "False"]
    assert overrides == ["DATA.ROOT", "x", "SEED", "1"]


@pytest.mark.parametrize(("losses", "vary"), [([], ["SEED"]), (["ce", "ms"], ["INPUT.PAD", "1"])])
def test_what_cannot_be_varied(losses: list[str], vary: list[str]) -> None:
    with pytest.raises(ValueError, match="--vary needs a KEY and at least one VALUE"):
        read_contenders(losses, vary)


def test_the_tool_prints_a_table_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    people = write_people(tmp_path / "market1501")
    output = tmp_path / "compared"
    words = ["--seeds", "1", "--output", output, *SMALL, "DATA.ROOT", people, "COMPARE.NUM_EPOCHS", "1"]
    first = call("compare_losses", "--losses", "ce", *words)
    assert first.returncode == 0, first.stderr
    assert "run 1 of 1: ce, seed 0" in first.stderr
    assert "| | rank-1 (%) | mAP (%) | runs | s a run |" in first.stderr
    both = call("compare_losses", "--losses", "ce", "ms", *words)
    assert both.returncode == 0, both.stderr
    results = json.loads(both.stdout)["results"]
    assert list(results) == ["ce", "ms"]
    assert results["ce"] == json.loads(first.stdout)["results"]["ce"]
    assert f"figure: {output / 'comparison.png'}" in both.stderr


def test_a_mistake_ends_in_one_sentence(tmp_path: Path) -> None:
    answer = call("compare_losses", "--losses", "ce", "nonsense", "--output", tmp_path / "compared")
    assert answer.returncode == 1
    assert "unknown loss 'nonsense'" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert not (tmp_path / "compared").exists()
