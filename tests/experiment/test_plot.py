from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.experiment.plot import run_plot
from reid_gl.report.page import format_report
from tests.report.made_up_report import report_data


@pytest.fixture
def report(tmp_path: Path) -> Path:
    path = tmp_path / "report.html"
    path.write_text(format_report("title", report_data(1), []))
    return path


def test_figures_are_written_and_replaced(report: Path, tmp_path: Path) -> None:
    written = run_plot(report, tmp_path / "figures")["figures"]
    assert json.loads(json.dumps(written)) == written
    assert written["cmc"] == str(tmp_path / "figures" / "cmc.svg")
    assert all("<svg" in Path(path).read_text() for path in written.values())
    assert run_plot(report, tmp_path / "figures")["figures"] == written


def test_a_foreign_file_stays(report: Path, tmp_path: Path) -> None:
    mine = tmp_path / "figures" / "cmc.png"
    mine.parent.mkdir()
    mine.write_bytes(b"mine")
    with pytest.raises(FileExistsError, match="add --force"):
        run_plot(report, mine.parent, form="png")
    assert [path.name for path in mine.parent.iterdir()] == ["cmc.png"]
    run_plot(report, mine.parent, form="png", force=True)
    assert mine.read_bytes()[:4] == b"\x89PNG"
    with pytest.raises(NotADirectoryError, match="name a folder for the figures"):
        run_plot(report, mine)


def test_a_damaged_report_is_one_sentence(report: Path, tmp_path: Path) -> None:
    report.write_text(format_report("title", {"lists": 3}, []))
    with pytest.raises(ValueError, match=r"is damaged .*: make the report again"):
        run_plot(report, tmp_path / "figures")
