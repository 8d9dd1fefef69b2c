from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reid_gl.cli import cross_domain
from reid_gl.cli.main import main
from reid_gl.training.fit import Interrupted

SUMMARY = {"rows": {"a": {"b": {"rank1": 0.5, "mAP": 0.25}}}}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[Any, ...]]]:
    noted: list[tuple[Any, ...]] = []

    def run(config_file: str | None, overrides: list[str], **others: Any) -> dict[str, Any]:
        noted.append((config_file, overrides, others["train"], others["test"], others["folder"]))
        if "SEED" in overrides:
            raise Interrupted(2)
        return SUMMARY

    monkeypatch.setattr(cross_domain, "run_cross_domain", run)
    monkeypatch.setattr(cross_domain, "prepare_torch", lambda seed: None)
    logger = logging.getLogger("reid_gl.evaluation")
    level = logger.level
    yield noted
    logger.setLevel(level)


def test_names_and_overrides_are_told_apart(
    calls: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--train", "a,b", "c", "TEST.METRIC", "cosine", "--test", "d", "INPUT.PAD", "3"]
    assert main(["cross-domain", "--config-file", "configs/market.yml", *words]) == 0
    ((file, overrides, train, test, folder),) = calls
    assert (file, train, test) == ("configs/market.yml", ["a,b", "c"], ["d"])
    assert overrides == ["TEST.METRIC", "cosine", "INPUT.PAD", "3"]
    assert folder == Path("runs/cross_domain_market")
    answer = capsys.readouterr()
    assert json.loads(answer.out) == SUMMARY
    assert "| a | 50.0 / 25.0 |" in answer.err


def test_the_folder_is_that_of_the_option_and_a_signal_the_exit_code(
    calls: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--train", "a", "--test", "b", "--output", "here", "SEED", "1"]
    assert main(["cross-domain", *words]) == 130
    assert calls[0][-1] == Path("here")
    answer = capsys.readouterr()
    assert answer.out == ""
    assert "stopped by signal 2; run the same command again to resume" in answer.err
    assert main(["cross-domain", "--train", "a", "--test", "b"]) == 0
    assert calls[1][-1] == Path("runs/cross_domain_default")
