from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from reid_gl.cli import report
from tests.cli.test_commands import call


def test_settings_come_after_the_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    noted: dict[str, Any] = {}

    def run_report(runs: list[str], out: str, **others: Any) -> dict[str, Any]:
        noted.update(runs=runs, out=out, **others)
        return {"report": out, "bytes": 2_340_000, "scores": {}}

    monkeypatch.setattr(report, "run_report", run_report)
    answer = call("report", "runs/a", "runs/b", "DATA.ROOT", "/data", "--out", "x.html", "--force")
    assert answer.returncode == 0, answer.stderr
    assert noted == {
        "runs": ["runs/a", "runs/b"],
        "out": "x.html",
        "overrides": ["DATA.ROOT", "/data"],
        "force": True,
    }
    assert "x.html (2.3 MB): open it in a browser" in answer.stderr
    assert json.loads(answer.stdout)["report"] == "x.html"


def test_a_folder_that_is_no_run_is_one_sentence(tmp_path: Path) -> None:
    answer = call("report", tmp_path, "--out", tmp_path / "report.html")
    assert answer.returncode == 1
    assert (
        "is no finished run, it has no config.yml: give a folder that reid-gl train has written"
        in answer.stderr
    )
    assert "Traceback" not in answer.stderr
