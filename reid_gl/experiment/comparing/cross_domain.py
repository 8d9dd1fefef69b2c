"""Train on each of several data sets and test on all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import torch

from reid_gl.config import load_experiment
from reid_gl.experiment.comparing.job_process import Job
from reid_gl.experiment.comparing.series import (
    RESULT_FILE,
    check_num_jobs,
    is_share,
    open_series,
    read_result,
    run_unfinished,
    train_or_resume,
)
from reid_gl.experiment.load_data import load_data, load_test_sets
from reid_gl.experiment.score import run_tests
from reid_gl.files import write_text
from reid_gl.report.cross_domain import draw_matrix
from reid_gl.report.figures import save_figure

MATRIX_FILE = "cross_domain.json"
IMAGE_FILE = "cross_domain.png"
DRAWN = ("rank1", "mAP")


def run_cross_domain(
    config_file: str | Path | None,
    overrides: Sequence[str],
    *,
    train: Sequence[str],
    test: Sequence[str],
    folder: Path,
    num_jobs: int = 1,
    stop_signal: Callable[[], int] = lambda: 0,
) -> dict[str, Any]:
    """Fill the matrix of training sets times test sets; runs that the folder already holds are not repeated.

    Args:
        config_file: the experiment; its DATA.NAMES and DATA.TEST_NAMES are replaced.
        overrides: configuration keys and values for all runs.
        train: DATA.NAMES of each row, such as "market1501", or "market1501,msmt17" for both together.
        test: the test sets, one for each column.
        folder: folder for the results; each run has a folder with its weights in it.
        num_jobs: trainings at the same time, see run_unfinished; the results are the same.
        stop_signal: number of the signal that asks to stop, or 0.

    Returns:
        "rows", which maps training sets to test sets to results of run_test; cross_domain.json and
        cross_domain.png hold the same.

    Raises:
        ValueError: a set cannot be used or is given twice, or the folder holds another configuration.
        ChildProcessError: with several jobs, runs failed; all others are finished.
        Interrupted: stopped by a signal; the same call resumes.
    """
    check_num_jobs(num_jobs)
    for kind, names in (("training", train), ("test", test)):
        if not names or len(set(names)) < len(names):
            raise ValueError(f"expected different {kind} sets, at least one, got {' '.join(names) or 'none'}")
    words = [*overrides, "DATA.TEST_NAMES", ",".join(test)]
    for names in train:  # report mistakes before the first run, not after an hour
        load_data(load_experiment(config_file, [*words, "DATA.NAMES", names]).data)
    common = load_experiment(config_file, words)
    load_test_sets(common.data)
    open_series(folder, common, kind="matrix")
    places = {names: folder / quote(names, safe=",") for names in train}
    jobs = {
        place: Job(names, _run, (config_file, [*words, "DATA.NAMES", names], place))
        for names, place in places.items()
    }
    run_unfinished(jobs, num_jobs=num_jobs, device=common.device, stop_signal=stop_signal)
    rows = {names: read_result(place, _find_fault) for names, place in places.items()}
    _check_same_columns(rows, folder)
    summary = {"rows": rows}
    write_text(folder / MATRIX_FILE, json.dumps(summary, indent=2) + "\n")
    save_figure(draw_matrix(rows), folder / IMAGE_FILE)
    return summary


def _run(
    config_file: str | Path | None, words: list[str], place: Path, stop_signal: Callable[[], int]
) -> None:
    """Train one row, score it on every test set, and leave the scores in its folder."""
    experiment = load_experiment(config_file, [*words, "OUTPUT_DIR", str(place)])
    torch.manual_seed(experiment.seed)
    weights, _ = train_or_resume(experiment, place, stop_signal)
    scores = run_tests(replace(experiment, weights=weights))
    write_text(place / RESULT_FILE, json.dumps(scores, indent=2) + "\n")


def _find_fault(result: dict[str, Any]) -> str:
    """Return what is wrong with the scores of a row; "" if nothing is."""
    for name, scores in result.items():
        if not isinstance(scores, dict) or not all(is_share(scores.get(score)) for score in DRAWN):
            return f"has no {' and '.join(DRAWN)} in [0, 1] of {name}"
    return "" if result else "has no scores"


def _check_same_columns(rows: dict[str, dict[str, Any]], folder: Path) -> None:
    first, *others = ({*row} for row in rows.values())
    for names, columns in zip(list(rows)[1:], others, strict=True):
        if columns != first:
            raise ValueError(
                f"the result of {names} in {folder} is of the test sets {', '.join(sorted(columns))}, others "
                f"are of {', '.join(sorted(first))}: delete {RESULT_FILE} of the wrong one to test it again"
            )
