"""Converts words of a config file or command line to values of the type of the key's default.

YAML guesses a type from a word's form: `off` becomes false, `2024` a number, `1e-3` text. Here every word
stays text until its key's type is known, so a key that takes text accepts any word.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
NULLS = ("", "null", "~")
WORDS_FOR_NUMBERS = {"LOSS.GROUP.ANCHORS_PER_CLASS": ("others",)}
"""Words that some numeric keys accept in addition to numbers."""


MERGE_TAG = "tag:yaml.org,2002:merge"
MAX_BYTES = 1_000_000
MAX_DEPTH, MAX_ALIASES, MAX_VALUES = 30, 1_000, 10_000
"""Limits far above any real configuration, but low enough that a hostile file is rejected within seconds."""


class _WordLoader(yaml.SafeLoader):
    """Loads every scalar as text; rejects duplicate keys, and nesting or alias bombs."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {  # noqa: RUF012 - PyYAML's name and type
        "<": [(MERGE_TAG, re.compile(r"^<<$"))]
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = self._aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        self._aliases += self.check_event(yaml.AliasEvent)
        self._depth += 1
        if self._depth > MAX_DEPTH or self._aliases > MAX_ALIASES:
            raise yaml.YAMLError(f"more than {MAX_DEPTH} levels or {MAX_ALIASES} aliases")
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:  # noqa: ANN401
        node = super().compose_mapping_node(anchor)
        seen: set[object] = set()
        for key, _ in node.value:  # checked here: merging (<<) later adds keys that explicit ones override
            if isinstance(key, yaml.ScalarNode) and key.tag != MERGE_TAG:
                if key.value in seen:
                    raise yaml.YAMLError(f"key {key.value!r} stands twice{key.start_mark}")
                seen.add(key.value)
        return node

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MAX_VALUES:
            raise yaml.YAMLError(f"more than {MAX_VALUES} keys")


def read_words(text: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """Parse YAML with all scalars as text.

    Raises:
        yaml.YAMLError: invalid YAML, tags of Python objects, a duplicate key, or a limit of this module is
            exceeded.
    """
    if len(text) > MAX_BYTES:
        raise yaml.YAMLError(f"{len(text):,} letters, more than {MAX_BYTES:,}")
    words = yaml.load(text, Loader=_WordLoader)
    for number, _ in enumerate(_walk(words, 0)):
        if number > MAX_VALUES:
            raise yaml.YAMLError(f"more than {MAX_VALUES:,} values")
    return words


def read_yaml(path: Path) -> Any:  # noqa: ANN401
    """Apply read_words to a file.

    Raises:
        yaml.YAMLError: as read_words; also if the path is not a regular file or the file is too large.
        UnicodeDecodeError: the file is not UTF-8 text.
    """
    if not path.is_file():
        raise yaml.YAMLError("it is no regular file")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise yaml.YAMLError(f"{size:,} bytes, a configuration has no more than {MAX_BYTES:,}")
    return read_words(path.read_text(encoding="utf-8"))


def _walk(value: object, depth: int) -> Iterator[object]:
    """Yield every value in nested lists and mappings, with aliases expanded."""
    if depth > MAX_DEPTH:
        raise yaml.YAMLError(f"more than {MAX_DEPTH} levels")
    yield value
    inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for one in inside:
        yield from _walk(one, depth + 1)


def parse_override(text: str, default: object) -> Any:  # noqa: ANN401
    """Parse an override for a key: as YAML if the default is a list, otherwise keep the text unchanged."""
    if not isinstance(default, list):
        return text
    try:
        return read_words(text)
    except yaml.YAMLError:
        return text


def convert(key: str, words: object, default: object) -> Any:  # noqa: ANN401
    """Convert words to a value of the default's type.

    Raises:
        ValueError: the conversion is impossible; says what was expected.
    """
    if isinstance(words, str) and words in WORDS_FOR_NUMBERS.get(key, ()):
        return words
    try:
        if isinstance(default, list):
            return _list(words, default)
        return _scalar(words, default)
    except ValueError:
        others = "".join(f" or {word}" for word in WORDS_FOR_NUMBERS.get(key, ()))
        raise ValueError(f"must be {_kind(default)} like {default!r}{others}, got {words!r}") from None


def _list(words: object, default: list[Any]) -> list[Any]:
    if not isinstance(words, list):
        raise ValueError
    return [_scalar(word, default[0]) for word in words]


def _scalar(words: object, default: object) -> Any:  # noqa: ANN401
    if not isinstance(words, str):
        raise ValueError
    if isinstance(default, bool):
        if words.lower() not in BOOLEANS:
            raise ValueError
        return BOOLEANS[words.lower()]
    if isinstance(default, int):
        return int(words)
    if isinstance(default, float):
        number = float(words)
        if not math.isfinite(number):
            raise ValueError
        return number
    return ("none" if default else "") if words.lower() in NULLS else words


def _kind(value: object) -> str:
    if isinstance(value, list):
        return f"a list of {_kind(value[0]).removeprefix('a ')}s"
    kinds = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}
    return kinds[type(value)]
