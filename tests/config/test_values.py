from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from reid_gl.config.values import convert, parse_override, read_words, read_yaml

BOMB = "a: &a {}\n" + "".join(
    f"{name}: &{name} {{{', '.join(f'k{i}: *{before}' for i in range(9))}}}\n"
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
)
MERGE_BOMB = "a: &a {" + ", ".join(f"k{i}: 1" for i in range(99)) + "}\n"
MERGE_BOMB += "".join(
    f"{name}: &{name} {{<<: [{', '.join([f'*{before}'] * 9)}]}}\n"
    for before, name in zip("abcdefghij", "bcdefghijk", strict=True)
)


def test_every_word_stays_a_word() -> None:
    text = "a: off\nb: 1e3\nc: [2024-01-01, ~, null, 0x10, .5]\nd: {on: yes}\n'e f': \"1\"\ng:\n"
    assert read_words(text) == {
        "a": "off",
        "b": "1e3",
        "c": ["2024-01-01", "~", "null", "0x10", ".5"],
        "d": {"on": "yes"},
        "e f": "1",
        "g": "",
    }


def test_merged_keys_come_below_those_that_stand_there() -> None:
    text = "a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3\n"
    assert read_words(text)["b"] == {"x": "1", "y": "3"}


@pytest.mark.parametrize(
    "text", ["SEED: 1\nSEED: 2\n", "INPUT:\n  SEED: 1\n  SEED: 2\n", "[{SEED: 1, SEED: 1}]"]
)
def test_a_key_that_stands_twice(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="key 'SEED' stands twice"):
        read_words(text)


@pytest.mark.parametrize("text", ["a: !!python/object/apply:os.getpid []", "a: [1", "a: b: c"])
def test_objects_and_broken_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        read_words(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB, "more than 10,000 values"),
        ("SEED: &a [*a]\n", "more than 30 levels"),
        ("SEED: " + "[" * 3000 + "]" * 3000, "more than 30 levels"),
        ("SEED: " + "{a: " * 3000 + "}" * 3000, "more than 30 levels"),
        ("a: &a 1\nb: [" + "*a," * 2000 + "]", "1000 aliases"),
        ("# " + "x" * 1_000_001, "1,000,003 letters, more than 1,000,000"),
    ],
    ids=["aliases", "itself", "brackets", "braces", "many", "large"],
)
def test_bombs(text: str, message: str) -> None:
    start = time.monotonic()
    with pytest.raises(yaml.YAMLError, match=message):
        read_words(text)
    assert time.monotonic() - start < 5


def test_a_bomb_of_merges_is_refused_or_stays_small() -> None:
    start = time.monotonic()
    with contextlib.suppress(yaml.YAMLError):  # only PyYAML's later releases merge each key once
        assert len(read_words(MERGE_BOMB)["k"]) == 99
    assert time.monotonic() - start < 5


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text("a: ü\n", encoding="utf-8")
    assert read_yaml(path) == {"a": "ü"}
    path.write_bytes(b"a: \xff\n")
    with pytest.raises(UnicodeDecodeError):
        read_yaml(path)
    path.write_text("# " + "x" * 1_000_001)
    with pytest.raises(yaml.YAMLError, match="1,000,003 bytes, a configuration has no more than 1,000,000"):
        read_yaml(path)
    with pytest.raises(yaml.YAMLError, match="it is no regular file"):
        read_yaml(tmp_path)


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("[1, 2]", [0], ["1", "2"]),
        ("[a: 1", [0], "[a: 1"),  # convert says what was expected
        ("[1, 2]", "", "[1, 2]"),
        ("a: b", "", "a: b"),
        ("on", True, "on"),
    ],
)
def test_only_lists_are_yaml_on_the_command_line(text: str, default: object, expected: object) -> None:
    assert parse_override(text, default) == expected


@pytest.mark.parametrize(
    ("words", "default", "expected"),
    [
        ("1e-3", 0.5, 1e-3),
        ("2", 0.5, 2.0),
        (".5", 0.25, 0.5),
        ("-3", 0, -3),
        ("on", False, True),
        ("Yes", False, True),
        ("off", True, False),
        ("FALSE", True, False),
        ("null", "imagenet", "none"),
        ("~", "imagenet", "none"),
        ("Null", "", ""),
        ("off", "", "off"),
        ("2024", "a", "2024"),
        (["1", "2"], [0], [1, 2]),
        ([], [0.5], []),
        (["on", "1"], ["a"], ["on", "1"]),
    ],
)
def test_words_become_what_the_default_is(words: object, default: object, expected: object) -> None:
    value = convert("KEY", words, default)
    assert value == expected
    assert type(value) is type(default)


@pytest.mark.parametrize(
    ("words", "default", "message"),
    [
        ("often", 0, "must be a whole number like 0, got 'often'"),
        ("1.5", 0, "must be a whole number like 0"),
        ("128", [1, 2], r"must be a list of whole numbers like \[1, 2\], got '128'"),
        (["a"], [1], "must be a list of whole numbers"),
        ("1", True, "must be true or false like True, got '1'"),
        ("true", 0.5, "must be a finite number like 0.5, got 'true'"),
        ("nan", 0.5, "must be a finite number"),
        ("inf", 0.5, "must be a finite number"),
        ("ce", ["a"], "must be a list of text"),
        ({"a": "b"}, "text", "must be text like 'text'"),
        ([["1"]], [1], "must be a list of whole numbers"),
    ],
)
def test_words_that_are_none_of_it(words: object, default: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        convert("KEY", words, default)


def test_some_numbers_have_a_word_of_their_own() -> None:
    key = "LOSS.GROUP.ANCHORS_PER_CLASS"
    assert convert(key, "others", 1) == "others"
    assert convert(key, "2", 1) == 2
    with pytest.raises(ValueError, match="must be a whole number like 1 or others, got 'all'"):
        convert(key, "all", 1)
    with pytest.raises(ValueError, match="must be a whole number like 1, got 'others'"):
        convert("SEED", "others", 1)
