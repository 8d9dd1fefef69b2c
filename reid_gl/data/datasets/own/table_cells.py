"""Parses and checks the cells of a table: paths, identities, splits and numbers."""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from reid_gl.data.datasets.own.own_data import SPLITS, LabelledImage, is_missing, number_names, whole_number
from reid_gl.data.datasets.own.table_columns import GROUP_COLUMNS
from reid_gl.records import JUNK_PID

TEST_WORDS = ("test", "validation", "val")
_NUMBER = re.compile(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]+)?")
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


def read_label(cells: dict[str, str], title: str, place: str) -> str:
    """Return the text of an optional cell, a name or a whole number from 0; "" if unknown.

    Args:
        cells: the row, by title.
        title: the column, which need not exist.
        place: the row, for messages.

    Raises:
        ValueError: a number that is negative (-1, too, means unknown) or not whole.
    """
    text = cells.get(title, "")
    number = whole_number(text)
    if number == -1 or is_missing(text):
        return ""
    if number is None and _NUMBER.fullmatch(text):
        number = -2
    if number is not None and number < 0:
        raise ValueError(
            f"{place}: {title} must be a name, a whole number from 0, or empty if unknown, got {text!r}"
        )
    return text


def number_labels(labels: Sequence[str], *, kind: str) -> list[int]:
    """Number what read_label gave: whole numbers are kept, names are numbered from 0 in their order.

    Args:
        labels: one for each row; "" is unknown.
        kind: what they name, for messages.

    Returns:
        Numbers from 0; -1 for unknown.
    """
    known = set(labels) - {""}
    printed = {label: number for label in known if (number := whole_number(label)) is not None}
    if len(printed) < len(known):
        printed = number_names(known, first=0, lowest=0, kind=kind)
    return [printed.get(label, -1) for label in labels]


def set_labels(images: Sequence[LabelledImage], labels: Mapping[str, Sequence[str]]) -> list[LabelledImage]:
    """Return the images with the numbers of their labels.

    Args:
        images: M images.
        labels: for some of GROUP_COLUMNS, what read_label gave for each of the M rows.
    """
    unknown = [-1] * len(images)
    camids, tracklets, clothes, dates = (
        number_labels(labels[title], kind=kind) if title in labels else unknown
        for title, kind in GROUP_COLUMNS.items()
    )
    return [
        replace(image, camid=camid, tracklet=tracklet, clothes=worn, date=date)
        for image, camid, tracklet, worn, date in zip(images, camids, tracklets, clothes, dates, strict=True)
    ]
