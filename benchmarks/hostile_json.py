"""JSON files of this package with other keys, types and numbers, for hostile_commands.py."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TypeAlias

Value: TypeAlias = "dict[str, Value] | list[Value] | str | float | bool | None"


def is_json(file: str) -> bool:
    """Whether a file holds JSON, as a whole or in each line."""
    return file.endswith((".json", ".jsonl"))


def _changed(change: Callable[[Value], Value]) -> Callable[[str], str]:
    """Apply a change to the values of a file, or of each line."""

    def write(text: str) -> str:
        try:
            return json.dumps(change(json.loads(text)))
        except json.JSONDecodeError:
            return "".join(json.dumps(change(json.loads(line))) + "\n" for line in text.splitlines())

    return write


def _inside(value: Value, leaf: Callable[[Value], Value]) -> Value:
    if isinstance(value, dict):
        return {key: _inside(one, leaf) for key, one in value.items()}
    if isinstance(value, list):
        return [_inside(one, leaf) for one in value]
    return leaf(value)


def _is_number(value: Value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(new: Value) -> Callable[[Value], Value]:
    return lambda value: _inside(value, lambda leaf: new if _is_number(leaf) else leaf)


JSON_SORTS: dict[str, Callable[[str], str]] = {
    "no keys": _changed(lambda value: {}),
    "other keys": _changed(lambda value: {f"{key}_": one for key, one in value.items()}),
    "first key gone": _changed(lambda value: {key: value[key] for key in [*value][1:]}),
    "last key gone": _changed(lambda value: {key: value[key] for key in [*value][:-1]}),
    "values null": _changed(lambda value: dict.fromkeys(value)),
    "values lists": _changed(lambda value: {key: [one] for key, one in value.items()}),
    "values objects": _changed(lambda value: {key: {"a": one} for key, one in value.items()}),
    "texts numbers": _changed(
        lambda value: _inside(value, lambda leaf: 7 if isinstance(leaf, str) else leaf)
    ),
    "numbers texts": _changed(_numbers("x")),
    "numbers negative": _changed(_numbers(-1)),
    "numbers huge": _changed(_numbers(10**400)),
    "numbers NaN": _changed(_numbers(float("nan"))),
    "numbers booleans": _changed(_numbers(True)),
}
"""Texts of JSON files, given the good one."""
