"""Words of a config file or a command line to values, each by the type of its key's default.

YAML decides by a word's looks: `off` becomes false, `2024` a number, `1e-3` text. Here a word stays text
until the key says what it must be, so that a key that takes words takes all of them.
"""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import Any

import yaml

BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}
NULLS = ("", "null", "~")
WORDS_FOR_NUMBERS = {"LOSS.GROUP.ANCHORS_PER_CLASS": ("others",)}
"""What keys that take a number take besides."""


class _WordLoader(yaml.SafeLoader):
    """Every scalar is text; a key that stands twice is an error."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, Any]]] = {}  # noqa: RUF012 - PyYAML's name and type

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key in keys:
            if keys.count(key) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"key {key!r} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def read_words(text: str) -> Any:  # noqa: ANN401 - whatever the file holds
    """YAML with all scalars as text.

    Raises:
        yaml.YAMLError: no valid YAML, tags of Python objects, or a key that stands twice.
    """
    return yaml.load(text, Loader=_WordLoader)


def parse_override(text: str, default: object) -> Any:  # noqa: ANN401
    """What a command line gives for a key: a list is read as YAML, everything else is taken as it stands."""
    if not isinstance(default, list):
        return text
    try:
        return read_words(text)
    except yaml.YAMLError:
        return text


def convert(key: str, words: object, default: object) -> Any:  # noqa: ANN401
    """Words to a value of the default's type.

    Raises:
        ValueError: they cannot be one; says what was expected.
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
        return f"a list of {_kind(value[0])}"
    kinds = {bool: "true or false", int: "a whole number", float: "a finite number", str: "text"}
    return kinds[type(value)]
