"""Write the figures of a report as files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reid_gl.files import make_folder
from reid_gl.own_files import check_replaceable
from reid_gl.report.figures import save_figure
from reid_gl.report.page import read_report
from reid_gl.report.run_figures import draw_figures


def run_plot(
    report: str | Path, out: str | Path, *, form: str = "svg", force: bool = False
) -> dict[str, Any]:
    """Draw the figures of a report from the numbers it holds; nothing is computed again.

    Args:
        report: page that run_report has written.
        out: folder for the figures; it is made if it does not exist.
        form: "svg", "png" or "pdf".
        force: replace files even if another program wrote them.

    Returns:
        The files by the name of the figure.

    Raises:
        FileNotFoundError, ValueError: the file is no report.
        FileExistsError: another program's file has the name of a figure.
        NotADirectoryError: the folder is something else.
    """
    data = read_report(Path(report))
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: name one for the figures")
    with _damage_named(report):
        figures = draw_figures(data)
    files = {name: folder / f"{name}.{form}" for name in figures}
    for path in files.values():
        check_replaceable(path, force=force)
    make_folder(folder)
    with _damage_named(report):  # a figure is laid out only when it is saved
        for name, path in files.items():
            save_figure(figures[name], path)
    return {"figures": {name: str(path) for name, path in files.items()}}


@contextmanager
def _damage_named(report: str | Path) -> Iterator[None]:
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise ValueError(f"{report} is damaged ({error!r}): make the report again") from None
