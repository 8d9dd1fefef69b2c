from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest

from reid_gl.config import (
    ConfigError,
    changed_keys,
    default_config,
    dump_config,
    load_config,
    load_run_config,
)
from reid_gl.config.load import find_config


def write(folder: Path, text: str, name: str = "x.yml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_the_command_line_wins_over_the_file_and_the_file_over_the_defaults(tmp_path: Path) -> None:
    path = write(tmp_path, "SEED: 3\nSOLVER:\n  NUM_EPOCHS: 9\n")
    config = load_config(path, ["SEED", "4"])
    assert (config.SEED, config.SOLVER.NUM_EPOCHS, config.TEST.METRIC) == (4, 9, "cosine")
    assert config.OUTPUT_DIR == "runs/x"


def test_a_file_inherits_and_may_override(tmp_path: Path) -> None:
    write(tmp_path, "SEED: 1\nINPUT:\n  SIZE: [64, 32]\n", "parent.yml")
    path = write(tmp_path, "_BASE_: parent.yml\nSEED: 2\n")
    config = load_config(path)
    assert config.SEED == 2
    assert config.INPUT.SIZE == [64, 32]


def test_a_dumped_configuration_loads_to_itself(tmp_path: Path) -> None:
    config = load_config("configs/market.yml", ["SEED", "8"])
    assert load_config(write(tmp_path, dump_config(config))) == config


def test_lists_and_words_on_the_command_line() -> None:
    words = ["INPUT.SIZE", "[128,64]", "MODEL.PRETRAINED", "none", "SOLVER.COMPILE", "true"]
    config = load_config(None, words)
    assert config.INPUT.SIZE == [128, 64]
    assert config.MODEL.PRETRAINED == "none"
    assert config.SOLVER.COMPILE is True


@pytest.mark.parametrize("word", ["SOLVER.BASELR", "solver.base_lr", "SOLVER.BASE-LR"])
def test_an_unknown_key_names_the_nearest_one(word: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=rf"unknown config key '{word}'.*nearest one is 'SOLVER.BASE_LR'"):
        load_config(None, [word, "1"])
    with pytest.raises(ConfigError, match=r"unknown config key 'SOLVER.BASELR' in .*x.yml.*SOLVER.BASE_LR"):
        load_config(write(tmp_path, "SOLVER:\n  BASELR: 1\n"))


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("SEED", "often", "SEED .* must be a whole number like 0, got 'often'"),
        ("INPUT.SIZE", "[a, b]", "must be a list of whole numbers"),
    ],
)
def test_a_value_of_the_wrong_type_is_refused(key: str, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(None, [key, text])


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "true", "none", "2024", "1e3", "a #2", "C: b"])
def test_a_key_that_takes_words_takes_every_word(word: str, tmp_path: Path) -> None:
    for key in ("TEST.CAMERA_FILTER", "OUTPUT_DIR", "DATA.CACHE", "MODEL.WEIGHTS"):
        config = load_config(None, [key, word])
        section, _, name = key.rpartition(".")
        assert (config[section] if section else config)[name] == word
    quoted = json.dumps(word) if word.startswith(("a", "C")) else word
    config = load_config(write(tmp_path, f"TEST:\n  CAMERA_FILTER: {quoted}\nLOSS:\n  NAMES: [{quoted}]\n"))
    assert word == config.TEST.CAMERA_FILTER
    assert [word] == config.LOSS.NAMES


@pytest.mark.parametrize("word", ["null", "~", "Null", ""])
def test_null_is_none_where_that_is_a_choice_and_nothing_for_a_path(word: str, tmp_path: Path) -> None:
    for config in (
        load_config(None, ["MODEL.PRETRAINED", word, "DATA.CACHE", word]),
        load_config(write(tmp_path, f"MODEL:\n  PRETRAINED: {word}\nDATA:\n  CACHE: {word}\n")),
    ):
        assert (config.MODEL.PRETRAINED, config.DATA.CACHE) == ("none", "")


@pytest.mark.parametrize(("word", "value"), [("on", True), ("Yes", True), ("off", False), ("FALSE", False)])
def test_a_switch_takes_the_words_of_yaml(word: str, value: bool, tmp_path: Path) -> None:
    assert load_config(None, ["SOLVER.COMPILE", word]).SOLVER.COMPILE is value
    assert load_config(write(tmp_path, f"SOLVER:\n  COMPILE: {word}\n")).SOLVER.COMPILE is value


def test_a_section_is_no_key() -> None:
    with pytest.raises(ConfigError, match="unknown config key 'SOLVER'"):
        load_config(None, ["SOLVER", "1"])


def test_an_override_without_a_value() -> None:
    with pytest.raises(ConfigError, match="pairs KEY VALUE, got 1 words: SEED"):
        load_config(None, ["SEED"])


@pytest.mark.parametrize("name", ["x.py", "x.json", "x"])
def test_only_yaml_is_read(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, "raise SystemExit('this ran')", name)
    with pytest.raises(ConfigError, match=r"only .yml and .yaml are read"):
        load_config(path)


def test_yaml_cannot_make_objects(tmp_path: Path) -> None:
    path = write(tmp_path, "SEED: !!python/object/apply:os.getpid []\n")
    with pytest.raises(ConfigError, match="no valid YAML"):
        load_config(path)


def test_broken_yaml_and_lists(tmp_path: Path) -> None:
    for broken in ("SEED: [1\n", "SEED: 1\nSEED: 2\n", "SEED: " + "[" * 99 + "]" * 99):
        with pytest.raises(ConfigError, match=r"x\.yml is no valid YAML: "):
            load_config(write(tmp_path, broken))
    with pytest.raises(ConfigError, match="must hold keys and values, found list"):
        load_config(write(tmp_path, "- 1\n"))


def test_a_missing_file_and_a_missing_parent(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere.yml does not exist"):
        load_config(tmp_path / "nowhere.yml")
    (tmp_path / "market.yml").symlink_to(tmp_path / "unmounted")
    with pytest.raises(FileNotFoundError, match=r"config file .*market\.yml is a link to nothing"):
        load_config(tmp_path / "market.yml")  # and not the packaged file of this name
    with pytest.raises(FileNotFoundError, match=r"inherits from .*gone.yml, which does not exist"):
        load_config(write(tmp_path, "_BASE_: gone.yml\n"))


def test_inheritance_in_a_circle(tmp_path: Path) -> None:
    write(tmp_path, "_BASE_: b.yml\n", "a.yml")
    write(tmp_path, "_BASE_: a.yml\n", "b.yml")
    with pytest.raises(ConfigError, match="inherits from itself"):
        load_config(tmp_path / "a.yml")


def test_a_packaged_config_is_found_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config("configs/market.yml").is_file()
    assert find_config("configs/retrieval/cub.yml").parent.name == "retrieval"


def test_the_result_is_frozen() -> None:
    with pytest.raises(AttributeError):
        load_config().SEED = 1


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("SOLVER.CLIP_NORM", "-1", "SOLVER.CLIP_NORM must be at least 0, 0 for no limit, got -1.0"),
        ("SOLVER.MICRO_BATCH", "-1", "SOLVER.MICRO_BATCH must be at least 0"),
        ("SOLVER.CHECKPOINT_EVERY", "0", "SOLVER.CHECKPOINT_EVERY must be at least 1, got 0"),
        ("SOLVER.EVALUATE_EVERY", "-1", "SOLVER.EVALUATE_EVERY must be at least 0, 0 for never, got -1"),
        ("SOLVER.FREEZE_EPOCHS", "-1", "SOLVER.FREEZE_EPOCHS must be at least 0, got -1"),
        ("SOLVER.EMA_DECAY", "1", r"SOLVER.EMA_DECAY must lie in \[0, 1\), 0 for no averaging, got 1.0"),
        ("SOLVER.GAMMA", "-0.1", r"SOLVER.GAMMA must lie in \(0, 1\], got -0.1"),
        ("SOLVER.MILESTONES", "[0]", r"SOLVER.MILESTONES must be at least 1, got \[0\]"),
        ("SOLVER.FINAL_FACTOR", "2", r"SOLVER.FINAL_FACTOR must lie in \[0, 1\], got 2.0"),
    ],
)
def test_numbers_out_of_range(key: str, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_config(None, [key, value])


def test_merge_keys(tmp_path: Path) -> None:
    text = "SOLVER: &s\n  GAMMA: 0.5\n  MOMENTUM: 0.8\nTEST:\n  RERANK: {K1: 3}\n"
    with pytest.raises(ConfigError, match=r"unknown config key 'TEST.GAMMA'"):
        load_config(write(tmp_path, text + "  <<: *s\n"))
    inside = "INPUT:\n  <<: {PAD: 3, FLIP: 0.25}\n  PAD: 4\n"
    config = load_config(write(tmp_path, inside))
    assert (config.INPUT.PAD, config.INPUT.FLIP) == (4, 0.25)
    twice = "TEST:\n  RERANK: &r\n    <<: {K1: 7}\n    K1: 3\nSOLVER: {GAMMA: 0.5}\n"
    assert load_config(write(tmp_path, twice)).TEST.RERANK.K1 == 3


def test_a_config_that_is_no_regular_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yml")
    with pytest.raises(ConfigError, match=r"pipe.yml is a folder, pipe or device: give a regular file"):
        load_config(tmp_path / "pipe.yml")
    with pytest.raises(ConfigError, match=r"pipe.yml is a folder, pipe"):
        load_config(write(tmp_path, "_BASE_: pipe.yml\n"))
    with (tmp_path / "sparse.yml").open("wb") as file:
        file.truncate(30_000_000_000)
    with pytest.raises(ConfigError, match=r"sparse.yml is no valid YAML: 30,000,000,000 bytes"):
        load_config(tmp_path / "sparse.yml")


def test_a_chain_of_bases(tmp_path: Path) -> None:
    write(tmp_path, "SEED: 5\n", "0.yml")
    for number in range(1, 1500):
        write(tmp_path, f"_BASE_: {number - 1}.yml\n", f"{number}.yml")
    assert load_config(tmp_path / "20.yml").SEED == 5
    with pytest.raises(ConfigError, match=r"1499.yml inherits from more than 20 files"):
        load_config(tmp_path / "1499.yml")


def test_a_run_s_configuration_of_another_version_loses_what_is_unknown(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    text = dump_config(load_config(None, ["SEED", "3"])) + "NEW:\n  KEY: 1\n"
    path = write(tmp_path, text, "config.yml")
    with caplog.at_level(logging.WARNING, "reid_gl"):
        config = load_run_config(path, ["DATA.ROOT", "/data"])
    assert (config.SEED, config.DATA.ROOT, config.is_frozen()) == (3, "/data", True)
    assert "has entries that this version does not know: NEW.KEY" in caplog.text
    with pytest.raises(ConfigError, match="overrides come in pairs"):
        load_run_config(path, ["DATA.ROOT"])
    with pytest.raises(ConfigError, match="must hold keys and values, found list"):
        load_run_config(write(tmp_path, "[1]"))


def test_only_what_differs_from_the_defaults_is_a_changed_key() -> None:
    assert changed_keys(dump_config(default_config())) == {}
    text = dump_config(load_config(None, ["SEED", "3", "INPUT.SIZE", "[64,32]"]))
    assert changed_keys(text) == {"SEED": 3, "INPUT.SIZE": [64, 32], "OUTPUT_DIR": "runs/custom"}


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.yml"
    path.write_text("SEED: 1\n", encoding="utf-16")
    with pytest.raises(ConfigError, match=r"config file .*x\.yml is no valid YAML: no UTF-8 text$"):
        load_config(path)


@pytest.mark.parametrize("word", ["runs/exp #2", "2024", "off", "none of it", "[1]", "a: b"])
def test_folders_may_be_called_anything(word: str, tmp_path: Path) -> None:
    assert word == load_config(None, ["OUTPUT_DIR", word]).OUTPUT_DIR
    path = write(tmp_path, f"OUTPUT_DIR: '{word}'\n")
    assert word == load_config(path).OUTPUT_DIR
