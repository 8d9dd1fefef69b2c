from __future__ import annotations

import json
import logging
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

    def run_tests(experiment: Any, *, foreign: Foreign) -> dict[str, Any]:
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
