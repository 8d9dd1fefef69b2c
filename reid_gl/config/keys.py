"""Configuration keys; a key takes its default and meaning from the code that uses the value."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

SECTION = re.compile(r"^(?:Args|Attributes):\n((?:    .*\n|\n)*)", flags=re.MULTILINE)
ENTRY = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", flags=re.MULTILINE)


@dataclass(frozen=True)
class Key:
    """One configuration key.

    Attributes:
        default: a number, text, true or false, or a list of them.
        meaning: unit, choices and effect, in one line.
        owner: class or function that has this key as an argument; None for keys of the commands only.
        argument: name of that argument.
        none: number that means None in a file, because files cannot hold None.
    """

    default: Any
    meaning: str
    owner: Callable[..., Any] | None = None
    argument: str = ""
    none: float | None = None

    def to_argument(self, value: Any) -> Any:  # noqa: ANN401
        """Convert a file's value to the owner's type: lists to tuples, the number `none` to None."""
        if self.none is not None and (value == self.none or value < 0):
            return None
        return tuple(value) if isinstance(value, list) else value


OFF = -1.0
"""Value in a file that means None (off) for an optional number."""


@functools.cache  # reading signatures and docstrings takes most of the time of load_config
def argument(owner: Callable[..., Any], name: str, *, none: float = OFF, meaning: str = "") -> Key:
    """Make a key from an argument of a class or function, with its default and its docstring entry.

    Args:
        owner: class or function with a Google-style docstring.
        name: name of the argument.
        none: number that represents a default of None in a file.
        meaning: replaces the docstring's text where that does not suit a file.

    Raises:
        ValueError: there is no such argument, or a file cannot hold its default.
    """
    parameter = inspect.signature(owner).parameters.get(name)
    title = getattr(owner, "__name__", repr(owner))
    if parameter is None or parameter.default is inspect.Parameter.empty:
        raise ValueError(f"{title} has no argument {name!r} with a default")
    default = parameter.default
    can_be_none = default is None or "None" in str(parameter.annotation)
    if default is None:
        default = none
    if isinstance(default, tuple):
        default = list(default)
    if not isinstance(default, (bool, int, float, str, list)):
        raise ValueError(f"{title}: a file cannot hold the default of {name!r}, {default!r}")
    meaning = meaning or meanings(owner).get(name, "")
    return Key(default, meaning, owner, name, none if can_be_none else None)


def arguments(owner: Callable[..., Any], *, without: tuple[str, ...] = ()) -> dict[str, Key]:
    """Return all arguments of a class or function as keys in upper case, except those in `without`."""
    names = [name for name in inspect.signature(owner).parameters if name not in without]
    return {name.upper(): argument(owner, name) for name in names}


def meanings(owner: Callable[..., Any]) -> dict[str, str]:
    """Return the Args or Attributes entries of a Google-style docstring by name, each as one line."""
    found = SECTION.search(f"{inspect.getdoc(owner) or ''}\n")
    entries = ENTRY.findall(found[1]) if found else []
    return {name: " ".join(text.split()).rstrip(".") for name, text in entries}


def take(keys: Mapping[str, Key], section: Mapping[str, Any], owner: Callable[..., Any]) -> dict[str, Any]:
    """Return the keyword arguments for one owner from a section of the configuration."""
    return {key.argument: key.to_argument(section[name]) for name, key in keys.items() if key.owner is owner}
