from __future__ import annotations

import json
import logging
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from reid_gl.config import load_experiment
from reid_gl.experiment.comparing import jobs, series
from reid_gl.experiment.comparing.cross_domain import run_cross_domain
from reid_gl.experiment.load_data import load_data, load_test_sets
from reid_gl.training.fit import Interrupted
from tests.distributed.run_ranks import forkserver
from tests.experiment.conftest import SMALL
from tests.made_up_people import write_people


@pytest.fixture(scope="module")
def words(people: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """One epoch; beside Market-1501's folder one of people in its layout under another name."""
    root = tmp_path_factory.mktemp("data")
    write_people(root / "synthetic")
    (root / "market1501").symlink_to(people)
    return [*SMALL, "DATA.ROOT", str(root), "SOLVER.NUM_EPOCHS", "1"]


def run(words: list[str], folder: Path, **more: Any) -> dict[str, Any]:
    names = {"train": ["synthetic", "market1501,synthetic"], "test": ["market1501", "synthetic"], **more}
    return run_cross_domain(None, words, folder=folder, **names)


@pytest.fixture(scope="module")
def straight(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A matrix that nothing stopped: its folder, and what run_cross_domain returned."""
    folder = tmp_path_factory.mktemp("straight") / "matrix"
    return folder, run(words, folder)


def test_every_row_is_scored_on_every_set(words: list[str], straight: tuple[Path, dict[str, Any]]) -> None:
    folder, summary = straight
    assert list(summary["rows"]) == ["synthetic", "market1501,synthetic"]
    for row in summary["rows"].values():
        assert list(row) == ["market1501", "synthetic"]
        assert all(0 < scores["mAP"] <= 1 for scores in row.values())
    assert json.loads((folder / "cross_domain.json").read_text()) == summary
    assert (folder / "cross_domain.png").read_bytes().startswith(b"\x89PNG")
    assert (folder / "market1501,synthetic" / "model.ckpt").is_file()
    before = {path: path.stat().st_mtime_ns for path in folder.glob("*/model.ckpt")}
    assert run(words, folder) == summary
    assert {path: path.stat().st_mtime_ns for path in folder.glob("*/model.ckpt")} == before


def test_it_goes_on_where_it_was_stopped(
    words: list[str], straight: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    steps = count(1)
    with pytest.raises(Interrupted):
        run(words, tmp_path / "a", stop_signal=lambda: 15 if next(steps) == 4 else 0)
    assert not (tmp_path / "a" / "synthetic" / "result.json").exists()
    assert maps(run(words, tmp_path / "a")) == maps(straight[1])


def maps(summary: dict[str, Any]) -> dict[str, dict[str, float]]:
    rows = summary["rows"].items()
    return {names: {tested: scores["mAP"] for tested, scores in row.items()} for names, row in rows}


def test_jobs_fill_the_same_matrix_and_one_that_fails_is_named(
    words: list[str],
    straight: tuple[Path, dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, logger="reid_gl")
    monkeypatch.setattr(jobs, "START_METHOD", forkserver().get_start_method())  # has imported everything
    folder = tmp_path / "matrix"
    assert maps(run(words, folder, num_jobs=2)) == maps(straight[1])
    for names in straight[1]["rows"]:
        assert any(message.startswith(f"[{names}] {names}: ") for message in caplog.messages)
        assert f"{names} is finished" in caplog.messages
    (folder / "synthetic" / "result.json").unlink()
    (folder / "market1501").mkdir()
    (folder / "market1501" / "thesis.tex").write_text("years of work")
    with pytest.raises(
        ChildProcessError,
        match=r"^1 of 2 runs failed, the others are finished and kept: market1501: FileExistsError: .*thesis",
    ):
        run(words, folder, num_jobs=2, train=["market1501", "synthetic"])
    assert (folder / "synthetic" / "result.json").is_file()
    assert "2 of 2 runs are over" in caplog.messages


def test_training_sets_are_put_together_and_the_first_test_set_watches(words: list[str]) -> None:
    both = [*words, "DATA.NAMES", "market1501, synthetic", "DATA.TEST_NAMES", "synthetic"]
    data = load_experiment(None, both).data
    dataset = load_data(data)
    tested = load_experiment(None, [*words, "DATA.NAMES", "market1501,synthetic"])
    market, synthetic = load_test_sets(tested.data)
    assert len(dataset.train) == len(market.train) + len(synthetic.train)
    assert {sample.source for sample in dataset.train} == {0, 1}
    assert (dataset.query, dataset.gallery, dataset.name) == (synthetic.query, synthetic.gallery, "synthetic")
    assert [one.name for one in load_test_sets(data)] == ["synthetic"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"train": []}, "expected different training sets, at least one, got none"),
        ({"test": ["synthetic", "synthetic"]}, "expected different test sets, .* got synthetic synthetic"),
        ({"train": ["synthetic", "marked"]}, "unknown data set 'marked'"),
    ],
)
def test_mistakes_come_to_light_first(
    words: list[str], tmp_path: Path, names: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        run(words, tmp_path / "matrix", **names)
    assert not (tmp_path / "matrix").exists()


GOOD = {"rank1": 0.5, "mAP": 0.25}


@pytest.mark.parametrize(
    ("result", "message"),
    [
        ({}, r"result\.json has no scores: delete it"),
        ({"market1501": GOOD, "synthetic": 3}, r"result\.json has no rank1 and mAP in \[0, 1\] of synthetic"),
        (
            {"market1501": {**GOOD, "mAP": "x"}},
            r"result\.json has no rank1 and mAP in \[0, 1\] of market1501",
        ),
        ({"market1501": GOOD}, "is of the test sets market1501, others are of market1501, synthetic"),
    ],
)
def test_a_result_with_other_values_is_named(
    words: list[str], tmp_path: Path, result: dict[str, Any], message: str
) -> None:
    folder = tmp_path / "matrix"
    common = load_experiment(None, [*words, "DATA.TEST_NAMES", "market1501,synthetic"])
    series.open_series(folder, common, kind="matrix")
    for names, found in (
        ("synthetic", {"market1501": GOOD, "synthetic": GOOD}),
        ("market1501,synthetic", result),
    ):
        (folder / names).mkdir()
        (folder / names / "result.json").write_text(json.dumps(found))
    with pytest.raises(ValueError, match=message):
        run(words, folder)
