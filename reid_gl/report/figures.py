"""Save figures as files that are marked as written by this package."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from reid_gl.files import whole_or_nothing
from reid_gl.own_files import MARK

MARKED_BY = {"png": "Software", "pdf": "Creator", "svg": "Creator"}
"""Metadata field of each format that names the program; nothing about the machine is stored."""


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as .png, .pdf or .svg; the file appears only when it is complete."""
    form = path.suffix[1:].lower()
    with whole_or_nothing(path) as partial:
        figure.savefig(partial, format=form, metadata={MARKED_BY[form]: MARK})


def literal(text: str) -> str:
    """Return a text in a form that matplotlib shows letter by letter; between dollars it expects formulas."""
    return text.replace("$", "\\$")
