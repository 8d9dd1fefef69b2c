"""What a run kept of its configuration against the configuration now."""

from __future__ import annotations

import pytest

from reid_gl.config import ConfigError, dump_config, load_config
from reid_gl.config.load import describe_changes, read_dump


def test_the_same_values_are_no_change_however_they_are_written() -> None:
    old = dump_config(load_config(None, ["SOLVER.BASE_LR", "1e-3", "TEST.CAMERA_FILTER", "off"]))
    again = old.replace("BASE_LR: 0.001", "BASE_LR: 1.0e-03").replace("'off'", "off  # a comment")
    assert again != old
    assert not describe_changes(again, dump_config(load_config(None, ["SOLVER.BASE_LR", "0.001", *CAMERA])))


CAMERA = ("TEST.CAMERA_FILTER", "off")


def test_a_key_that_did_not_exist_has_its_default() -> None:
    config = load_config(None, ["SEED", "3"])
    lines = dump_config(config).splitlines()
    old = "\n".join(line for line in lines if "EMA_DECAY" not in line and "ANCHORS_PER_CLASS" not in line)
    assert not describe_changes(old, dump_config(config))
    changed = describe_changes(old, dump_config(load_config(None, ["SEED", "3", "SOLVER.EMA_DECAY", "0.9"])))
    assert changed == "SOLVER.EMA_DECAY was 0.0, is now 0.9"


def test_key_old_and_new_value_are_named() -> None:
    old = dump_config(load_config(None, ["LOSS.NAMES", "[group, cross_entropy]", "LOSS.WEIGHTS", "[1, 1]"]))
    words = ["LOSS.NAMES", "[triplet]", "LOSS.WEIGHTS", "[2]", "SEED", "1", "SOLVER.GAMMA", "0.5"]
    changed = describe_changes(old, dump_config(load_config(None, words)))
    assert "LOSS.NAMES was ['group', 'cross_entropy'], is now ['triplet']" in changed
    assert "SEED was 0, is now 1" in changed
    assert changed.endswith("; 1 more")


def test_keys_and_sections_that_may_change() -> None:
    old = dump_config(load_config(None, ["TEST.RERANK.K1", "3", "DATA.ROOT", "here"]))
    new = dump_config(load_config(None, ["DATA.ROOT", "there"]))
    assert not describe_changes(old, new, may_change=("TEST", "DATA.ROOT"))
    assert describe_changes(old, new, may_change=("TEST", "DATA.ROO")).startswith("DATA.ROOT was 'here'")


def test_a_key_that_has_gone_is_a_change() -> None:
    config = load_config()
    new = dump_config(config)
    old = new + "OLDEN:\n  DAYS: 7\n"
    assert describe_changes(old, new) == "OLDEN.DAYS was '7', which this version does not know"
    assert read_dump(old) == (config, {"OLDEN.DAYS": "7"})


@pytest.mark.parametrize("text", ["SEED: [1", "half of a"])
def test_a_broken_file(text: str) -> None:
    with pytest.raises(ConfigError, match="kept configuration"):
        read_dump(text)
