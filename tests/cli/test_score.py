from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest

from reid_gl.cli import score
from reid_gl.cli.main import main
from reid_gl.inference.extractor.foreign import NOTHING_SAID, Foreign

SCORES = {"dataset": "a", "feature": "b", "distance": "c", "rank1": 0.5}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What was called with which seed; "sets" holds the answer of run_tests."""
    noted: dict[str, Any] = {"sets": {"a": SCORES}}

    def run_tests(experiment: Any, *, foreign: Foreign, also: Any = lambda tested: None) -> dict[str, Any]:
        also("features")
        noted.update(test=experiment.seed, foreign=foreign)
        answer: dict[str, Any] = noted["sets"]
        return answer

    def run_ablation(experiment: Any) -> dict[str, Any]:
        noted["ablation"] = experiment.seed
        return {"caution": "chosen on the test set"}

    monkeypatch.setattr(score, "run_tests", run_tests)
    monkeypatch.setattr(score, "run_ablation", run_ablation)
    monkeypatch.setattr(score, "format_ablation", lambda summary: "TABLE")
    monkeypatch.setattr(score, "keep_strategies", lambda experiment: noted.update(kept=experiment.seed))
    monkeypatch.setattr(score, "prepare_torch", lambda seed: noted.update(prepared=seed))
    return noted


def test_one_set_is_an_object_and_several_are_one_each(
    calls: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["test", "SEED", "4"]) == 0
    assert (calls["prepared"], calls["test"], calls["foreign"]) == (4, 4, NOTHING_SAID)
    assert json.loads(capsys.readouterr().out) == SCORES
    calls["sets"] = {"a": SCORES, "b": SCORES}
    assert main(["test"]) == 0
    assert json.loads(capsys.readouterr().out) == {"a": SCORES, "b": SCORES}
    assert "kept" not in calls


def test_strategies_are_kept_when_that_is_asked_for(calls: dict[str, Any]) -> None:
    assert main(["test", "--keep", "SEED", "4"]) == 0
    assert (calls["test"], calls["kept"]) == (4, 4)


def test_an_ablation_is_a_table_with_its_caution(
    calls: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    logger = logging.getLogger("reid_gl.evaluation")
    level = logger.level
    try:
        assert main(["test", "--ablate"]) == 0
    finally:
        logger.setLevel(level)
    answer = capsys.readouterr()
    assert answer.err.splitlines() == ["TABLE", "W chosen on the test set"]
    assert json.loads(answer.out) == {"caution": "chosen on the test set"}
    assert "test" not in calls


def test_many_settings_cannot_be_kept(calls: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["test", "--ablate", "--keep"]) == 1
    assert "--ablate scores many settings, --keep stores one" in capsys.readouterr().err
    assert not {"test", "ablation", "kept"} & set(calls)


def test_a_report_shows_what_was_scored(
    calls: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def write_report(tested: list[str], page: Path) -> dict[str, Any]:
        calls["report"] = (tested, page)
        return {"report": str(page), "bytes": 1}

    monkeypatch.setattr(score, "write_report", write_report)
    page = tmp_path / "report.html"
    assert main(["test", "--report", str(page)]) == 0
    assert calls["report"] == (["features"], page)


def test_a_report_is_refused_before_the_work(
    calls: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = tmp_path / "report.html"
    foreign.write_text("mine")
    assert main(["test", "--report", str(foreign)]) == 1
    page = str(tmp_path / "new.html")
    assert main(["test", "--report", page, "DATA.TEST_NAMES", "market1501,synthetic"]) == 1
    assert main(["test", "--report", page, "--ablate"]) == 1
    errors = capsys.readouterr().err
    assert "add --force to replace it" in errors
    assert "a report shows one test set: name one in DATA.TEST_NAMES" in errors
    assert "--ablate writes no report" in errors
    assert "test" not in calls
