from __future__ import annotations

import json
import logging
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reid_gl.cli import cross_domain
from reid_gl.cli.main import main
from reid_gl.experiment.comparing import jobs
from reid_gl.training.fit import Interrupted
from tests.cli.test_commands import call, wait_for_epoch
from tests.distributed.run_ranks import forkserver, start_command
from tests.experiment.conftest import SMALL
from tests.made_up_people import write_people

SUMMARY = {"rows": {"a": {"b": {"rank1": 0.5, "mAP": 0.25}}}}
SETS = ("market1501", "synthetic")


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


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """A matrix of two sets, with runs that are long enough to be interrupted."""
    root = tmp_path_factory.mktemp("data")
    for name in SETS:
        write_people(root / name, num_people=4)
    size = ["SOLVER.NUM_EPOCHS", 16, "INPUT.SIZE", "[32,16]"]
    return ["--train", *SETS, "--test", *SETS, *SMALL, "DATA.ROOT", root, *size]


@pytest.fixture(scope="module")
def straight(words: list[object], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The matrix of one run after the other, which nothing stopped."""
    answer = call("cross_domain", *words, "--output", tmp_path_factory.mktemp("straight") / "matrix")
    assert answer.returncode == 0, answer.stderr
    return read_rows(answer.stdout)


def read_rows(output: str) -> dict[str, Any]:
    rows = json.loads(output)["rows"].items()
    return {name: {tested: scores["mAP"] for tested, scores in row.items()} for name, row in rows}


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_stopped_with_several_jobs_and_resumed_equals_never_stopped(
    words: list[object],
    straight: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: signal.Signals,
) -> None:
    folder = tmp_path / "matrix"
    command = [*words, "--output", folder, "--jobs", 2]
    process = start_command(["cross-domain", *command], tmp_path / "errors")
    try:
        for name in SETS:
            wait_for_epoch(process, folder / name, epoch=2)
        if number == signal.SIGINT:
            os.killpg(process.pid or 0, number)  # as a terminal does: the runs get it, too
            process.join(120)
    finally:
        process.kill()  # the runs notice, save and end
        process.join()
    assert process.exitcode == (130 if number == signal.SIGINT else -signal.SIGKILL)
    stopped = [name for name in SETS if not (folder / name / "result.json").exists()]
    assert stopped
    monkeypatch.setattr(jobs, "START_METHOD", forkserver().get_start_method())  # has imported everything
    resumed = call("cross_domain", *command)
    assert resumed.returncode == 0, resumed.stderr
    for name in stopped:
        assert f"[{name}] resuming after epoch" in resumed.stderr
    assert read_rows(resumed.stdout) == straight
