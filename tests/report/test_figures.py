from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure

from reid_gl.own_files import bears_mark
from reid_gl.report.figures import MARKED_BY, literal, save_figure

BEGINS = {"png": b"\x89PNG", "pdf": b"%PDF", "svg": b"<?xml"}


def _figure() -> Figure:
    figure = Figure(figsize=(1, 1))
    figure.add_subplot().plot([0, 1])
    return figure


@pytest.mark.parametrize("suffix", MARKED_BY)
def test_figures_say_who_wrote_them(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{suffix.upper()}"
    save_figure(_figure(), path)
    assert path.read_bytes().startswith(BEGINS[suffix])
    assert bears_mark(path)
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_a_figure_that_cannot_be_drawn_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("old")
    figure = _figure()
    figure.text(0, 0, "$\\nothing$")
    with pytest.raises(ValueError, match="nothing"):
        save_figure(figure, path)
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["a.png"]


def test_a_literal_text_is_no_formula(tmp_path: Path) -> None:
    figure = _figure()
    figure.text(0, 0, literal("$\\nothing$"))
    save_figure(figure, tmp_path / "a.png")
    assert (tmp_path / "a.png").is_file()
