from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reid_gl.experiment.reporting.plot import run_plot
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
    with pytest.raises(NotADirectoryError, match="is no folder: name one for the figures"):
        run_plot(report, mine)


DAMAGES: dict[str, Callable[[dict[str, Any]], object]] = {
    "no lists": lambda data: data.pop("lists"),
    "lists are a number": lambda data: data.update(lists=3),
    "unlike lengths": lambda data: data["runs"][0]["distances"].update(same=[1, 2]),
    "a word for a number": lambda data: data["lists"][0].update(cmc=["x"]),
    "no pair at all": lambda data: data["runs"][0]["distances"].update(same=[0] * 4, different=[0] * 4),
    "a huge number": lambda data: data["lists"][0].update(cmc=[10**400]),
    "too many runs": lambda data: data.update(runs=data["runs"] * 101),
    "a tall ablation": lambda data: data["runs"][0]["ablation"].update(
        rows=data["runs"][0]["ablation"]["rows"] * 1001
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_report_is_one_sentence(report: Path, tmp_path: Path, damage: str) -> None:
    data = report_data(1)
    DAMAGES[damage](data)
    report.write_text(format_report("title", data, []))
    with pytest.raises(ValueError, match=r"report\.html is damaged .*: make the report again"):
        run_plot(report, tmp_path / "figures", form="png")


def test_names_with_dollars_are_no_formulas(report: Path, tmp_path: Path) -> None:
    data = report_data(2)
    data["runs"][0]["name"] = "a$\\nothing$b"
    data["runs"][0]["ablation"]["rows"][0]["on"] = ["$^$"]
    data["runs"][0]["training"]["steps"]["$_$"] = [1.0, 2.0]
    report.write_text(format_report("title", data, []))
    written = run_plot(report, tmp_path / "figures")["figures"]
    assert {"cmc", "training_1", "ablation_1"} <= written.keys()
