"""Figures as files that say who wrote them."""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from reid_gl.files import whole_or_nothing
from reid_gl.own_files import MARK

MARKED_BY = {"png": "Software", "pdf": "Creator", "svg": "Creator"}
"""Where each format says which program made the file; nothing else about the machine is kept."""


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as .png, .pdf or .svg, in one step."""
    form = path.suffix[1:].lower()
    with whole_or_nothing(path) as partial:
        figure.savefig(partial, format=form, metadata={MARKED_BY[form]: MARK})
