"""Parses and checks the cells of a table: paths, identities, splits and numbers."""

from __future__ import annotations

import difflib
import os
import re

from reid_gl.data.datasets.own.own_data import SPLITS, is_missing, whole_number
from reid_gl.records import JUNK_PID

TEST_WORDS = ("test", "validation", "val")
_SHORTENED = re.compile(r"[+-]?[0-9]([.,][0-9]*)?[eE]\+[0-9]+|[+-]?[0-9]\.[0-9]*[eE][0-9]+")


def with_slashes(printed: str, root: str) -> str:
    r"""Return a path with / between folders.

    Windows separates folders by \. On other systems \ is an ordinary character, so a path that exists as
    written there is kept unchanged.

    Args:
        printed: path as written in the table.
        root: folder that the path is relative to.
    """
    if os.sep == "\\" or ("\\" in printed and not os.path.lexists(os.path.join(root, printed))):
        return printed.replace("\\", "/")
    return printed


def check_identity(text: str, place: str) -> None:
    """Raise ValueError unless a cell is a name or a whole number from -1."""
    number = whole_number(text)
    if is_missing(text):
        raise ValueError(f"{place}: pid is missing (got {text!r}): fill it in or remove the line")
    if _SHORTENED.fullmatch(text):
        raise ValueError(
            f"{place}: pid {text!r} is a number that a spreadsheet has shortened, digits are lost: write "
            "the table again with that column as text"
        )
    if number is not None and number < JUNK_PID:
        raise ValueError(f"{place}: pid must be a name or a whole number from -1, got {text!r}")


def parse_split(text: str, place: str, *, has_roles: bool = False) -> str:
    """Check a split: one of SPLITS, or one of TEST_WORDS if is_query and is_gallery give the role.

    Raises:
        ValueError: another word; suggests the nearest.
    """
    if text in SPLITS or (text in TEST_WORDS and has_roles):
        return text
    if text in TEST_WORDS:
        advice = (
            "; images to test with are either looked for (query) or searched (gallery), in split or in the "
            "columns is_query and is_gallery"
        )
    else:
        nearest = difflib.get_close_matches(text.lower(), SPLITS, n=1, cutoff=0.5)
        advice = f"; nearest: {nearest[0]!r}" if nearest else ""
    raise ValueError(f"{place}: split must be one of {', '.join(SPLITS)}, got {text!r}{advice}")


def optional_number(cells: dict[str, str], title: str, place: str) -> int:
    """Return a number from 0; -1 if unknown."""
    text = cells.get(title, "")
    number = whole_number(text) if text else -1
    if number is None or number < -1:
        raise ValueError(f"{place}: {title} must be a whole number from 0, or empty if unknown, got {text!r}")
    return number
