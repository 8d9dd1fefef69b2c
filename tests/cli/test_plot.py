from __future__ import annotations

import json
from pathlib import Path

from reid_gl.report.page import format_report
from tests.cli.test_commands import call
from tests.report.made_up_report import report_data


def test_the_names_of_the_figures_are_printed(tmp_path: Path) -> None:
    report = tmp_path / "report.html"
    report.write_text(format_report("title", report_data(1), []))
    answer = call("plot", report, "--out", tmp_path / "figures", "--format", "pdf")
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["figures"]["cmc"] == str(tmp_path / "figures" / "cmc.pdf")


def test_a_file_that_is_no_report(tmp_path: Path) -> None:
    answer = call("plot", tmp_path / "none.html", "--out", tmp_path)
    assert answer.returncode == 1
    assert "none.html does not exist: make it with reid-gl report" in answer.stderr
