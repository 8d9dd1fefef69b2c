"""Keys of the configuration: each takes default and meaning from the code that uses the value."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

SECTION = re.compile(r"^(?:Args|Attributes):\n((?:    .*\n|\n)*)", flags=re.MULTILINE)
ENTRY = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", flags=re.MULTILINE)


@dataclass(frozen=True)
class Key:
    """One key.

    Attributes:
        default: a number, text, true or false, or a list of them.
        meaning: unit, choices and effect, in a line.
        owner: the class or function whose argument it is; None for a key of the commands only.
        argument: name of that argument.
        none: the value that stands for None in a file, which has no None.
    """

    default: Any
    meaning: str
    owner: Callable[..., Any] | None = None
    argument: str = ""
    none: float | None = None

    def to_argument(self, value: Any) -> Any:  # noqa: ANN401
        """The value of a file as the owner takes it: tuples for lists, None for the number that means it."""
        if self.none is not None and (value == self.none or value < 0):
            return None
        return tuple(value) if isinstance(value, list) else value


OFF = -1.0
"""In a file: None, where None switches a number off."""


def argument(owner: Callable[..., Any], name: str, *, none: float = OFF, meaning: str = "") -> Key:
    """A key that is an argument of a class or function: its default, and what its docstring says of it.

    Args:
        owner: class or function with a Google-style docstring.
        name: of the argument.
        none: what stands for a default of None in a file.
        meaning: what the docstring says, if that does not fit a file.

    Raises:
        ValueError: it has no such argument, or one without a default that a file could hold.
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
    """All arguments of a class or function as keys in upper case, but for those left out."""
    names = [name for name in inspect.signature(owner).parameters if name not in without]
    return {name.upper(): argument(owner, name) for name in names}


def meanings(owner: Callable[..., Any]) -> dict[str, str]:
    """What the Args or Attributes of a Google-style docstring say, by name, each in one line."""
    found = SECTION.search(f"{inspect.getdoc(owner) or ''}\n")
    entries = ENTRY.findall(found[1]) if found else []
    return {name: " ".join(text.split()).rstrip(".") for name, text in entries}


def take(keys: Mapping[str, Key], section: Mapping[str, Any], owner: Callable[..., Any]) -> dict[str, Any]:
    """The keyword arguments that a section of the configuration has for one owner."""
    return {key.argument: key.to_argument(section[name]) for name, key in keys.items() if key.owner is owner}
