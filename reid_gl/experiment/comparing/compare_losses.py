"""Train several losses, or several values of one setting, under the same budget and over several seeds."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
from reid_gl.experiment.load_data import hold_out
from reid_gl.experiment.make_network import make_losses
from reid_gl.experiment.score import run_test
from reid_gl.files import write_text
from reid_gl.losses import SHORT_NAMES
from reid_gl.report.comparison import SCORES, draw_comparison, summarize_runs
from reid_gl.report.figures import save_figure
from reid_gl.training.run_folder import MODEL_FILE, TRAINING_FILE
from reid_gl.training.step import NonFiniteError

logger = logging.getLogger(__name__)

ALWAYS = ("SOLVER.CHECKPOINT_EVERY", "1", "SOLVER.EVALUATE_EVERY", "0")  # the comparison uses the last epoch
OWN_KEYS = ("SEED", "OUTPUT_DIR", "SOLVER.NUM_EPOCHS", "COMPARE.NUM_EPOCHS", *ALWAYS[::2])
MOST_SEEDS = 10_000
MOST_SECONDS = 1e12
COMPARISON_FILE = "comparison.json"
IMAGE_FILE = "comparison.png"


@dataclass(frozen=True)
class Contender:
    """One line of the table.

    Attributes:
        name: its name in tables and folders.
        overrides: configuration keys and values that define it.
        value: its label on the axis if the contenders are values of one setting.
    """

    name: str
    overrides: tuple[str, ...]
    value: str | None = None


def parse_losses(text: str) -> Contender:
    """Parse losses with weights, "ce+group" or "ce+0.4*rll", into overrides of LOSS.NAMES and LOSS.WEIGHTS.

    Raises:
        ValueError: a weight is not a number, or a name is empty.
    """
    names, weights = [], []
    for part in text.split("+"):
        weight, _, name = part.rpartition("*")
        try:
            weights.append(float(weight) if weight else 1.0)
        except ValueError:
            raise ValueError(
                f"cannot read {part!r} in {text!r}: expected a loss, or a number times a loss like 0.4*rll"
            ) from None
        if not name:
            raise ValueError(f"a loss is missing in {text!r}: expected names joined by +, like ce+group")
        names.append(SHORT_NAMES.get(name, name))
    return Contender(text, ("LOSS.NAMES", json.dumps(names), "LOSS.WEIGHTS", json.dumps(weights)))


def vary_setting(key: str, values: Sequence[str], losses: Contender | None) -> list[Contender]:
    """Make a contender for each value of a configuration key, with the configuration's own losses or others.

    Raises:
        ValueError: a key that every comparison sets itself.
    """
    if key in OWN_KEYS:
        raise ValueError(f"{key} cannot be varied: a comparison sets it for every run")
    given = losses.overrides if losses else ()
    prefix = f"{losses.name}," if losses else ""
    return [Contender(f"{prefix}{key}={value}", (*given, key, value), value) for value in values]


def run_comparison(
    config_file: str | Path | None,
    overrides: Sequence[str],
    contenders: Sequence[Contender],
    *,
    num_seeds: int,
    folder: Path,
    first_seed: int = 0,
    num_jobs: int = 1,
    stop_signal: Callable[[], int] = lambda: 0,
) -> dict[str, Any]:
    """Train and test every contender with several seeds; runs that the folder already holds are not repeated.

    Every run is tested after its last epoch, with the settings of TEST; its weights are not kept. With
    DATA.HOLDOUT it is tested on the held-out training identities and never sees the test set: this is how
    losses and settings should be chosen. A run that diverges is recorded and the others continue.

    Args:
        config_file: the experiment; every run takes COMPARE.NUM_EPOCHS epochs.
        overrides: configuration keys and values for all contenders.
        contenders: what to compare.
        num_seeds: number of runs of each contender, up to MOST_SEEDS.
        folder: folder for the results; each run has a folder in it.
        first_seed: seed of the first run; the next runs count up from it.
        num_jobs: runs at the same time, see run_unfinished; the results are the same.
        stop_signal: number of the signal that asks to stop, or 0.

    Returns:
        "results", which maps names to results of summarize_runs, with the number of epochs, the tested
        feature and the identities tested on; comparison.json and comparison.png hold the same.

    Raises:
        ValueError: the configuration cannot be used, two contenders have the same name, or the folder holds a
            comparison of another configuration.
        ChildProcessError: with several jobs, runs failed; all others are finished.
        Interrupted: stopped by a signal; the same call resumes.
    """
    check_num_jobs(num_jobs)
    _check_size(contenders, num_seeds)
    base = load_experiment(config_file, overrides)
    num_epochs = base.comparison_epochs
    every = [*overrides, "SOLVER.NUM_EPOCHS", str(num_epochs), *ALWAYS]
    for contender in contenders:  # report mistakes before the first run, not after an hour
        experiment = load_experiment(config_file, [*every, *contender.overrides])
        make_losses(experiment, 2, 2)
        _note_other_weights(contender.name, experiment.losses.weights, base.losses.weights)
    open_series(folder, base, kind="comparison")
    seeds = range(first_seed, first_seed + num_seeds)
    plan = [(contender, seed) for seed in seeds for contender in contenders]
    runs = _run_all(config_file, every, plan, folder, num_jobs, stop_signal)
    summary = {
        "num_epochs": num_epochs,
        "feature": base.scoring.feature,
        "tested_on": "held-out training identities" if base.data.holdout.share else "the test set",
        "results": {name: summarize_runs(results) for name, results in runs.items()},
    }
    write_text(folder / COMPARISON_FILE, json.dumps(summary, indent=2) + "\n")
    _draw(summary, contenders, num_seeds, folder / IMAGE_FILE)
    return summary


def _check_size(contenders: Sequence[Contender], num_seeds: int) -> None:
    if num_seeds < 1 or not contenders:
        raise ValueError(f"expected losses or values and a seed, got {len(contenders)} and {num_seeds} seeds")
    if num_seeds > MOST_SEEDS:
        raise ValueError(f"--seeds must be at most {MOST_SEEDS:,}, got {num_seeds}")
    if len({one.name for one in contenders}) < len(contenders):
        raise ValueError(f"something is given twice: {' '.join(one.name for one in contenders)}")


def _note_other_weights(name: str, compared: Mapping[str, float], configured: Mapping[str, float]) -> None:
    """Warn of losses with weight 1 that the configuration weights differently."""
    for loss, weight in compared.items():
        if weight == 1.0 != configured.get(loss, 1.0):
            logger.warning(
                "%s compares %s with weight 1, the configuration gives it %g: write %g*%s for that",
                *(name, loss, configured[loss], configured[loss], loss),
            )


def _run_all(
    config_file: str | Path | None,
    every: list[str],
    plan: list[tuple[Contender, int]],
    folder: Path,
    num_jobs: int,
    stop_signal: Callable[[], int],
) -> dict[str, list[dict[str, Any]]]:
    """Run each contender with each seed, in order; return the results by name of the contender."""
    places = [folder / quote(contender.name, safe="+*,=") / f"seed{seed}" for contender, seed in plan]
    jobs = {}
    for (contender, seed), place in zip(plan, places, strict=True):
        words = [*every, *contender.overrides, "SEED", str(seed), "OUTPUT_DIR", str(place)]
        jobs[place] = Job(f"{contender.name}, seed {seed}", _run, (config_file, words, place, seed))
    device = load_experiment(config_file, every).device
    run_unfinished(jobs, num_jobs=num_jobs, device=device, stop_signal=stop_signal)
    runs: dict[str, list[dict[str, Any]]] = {contender.name: [] for contender, _ in plan}
    for (contender, _), place in zip(plan, places, strict=True):
        _drop_weights(place)
        runs[contender.name].append(read_result(place, _find_fault))
    return runs


def _run(
    config_file: str | Path | None, words: list[str], place: Path, seed: int, stop_signal: Callable[[], int]
) -> None:
    """Train and test one run, resuming it if it was stopped, and leave its result in its folder."""
    resume = (place / TRAINING_FILE).is_file()
    torch.manual_seed(seed)
    start = time.perf_counter()
    try:
        experiment = load_experiment(config_file, words)
        weights, dataset = train_or_resume(experiment, place, stop_signal)
        tested = hold_out(experiment.data.holdout, dataset) or dataset
        scores = run_test(replace(experiment, weights=weights), tested)
        result = {name: scores[name] for name in SCORES if name in scores}
    except NonFiniteError as error:
        logger.warning("%s", error)
        result = {"error": str(error)}
    result |= {"seconds": round(time.perf_counter() - start, 1), "was_resumed": resume}
    write_text(place / RESULT_FILE, json.dumps(result, indent=2) + "\n")
    _drop_weights(place)


def _find_fault(result: dict[str, Any]) -> str:
    """Return what is wrong with the result of a run; "" if nothing is."""
    if isinstance(result.get("error"), str):
        return ""
    for score in SCORES:
        if (score in result or score != "NMI") and not is_share(result.get(score)):
            return f"has no {score} in [0, 1]"
    seconds = result.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds < MOST_SECONDS:
        return "has no number of seconds"
    return "" if isinstance(result.get("was_resumed"), bool) else "does not say whether it was_resumed"


def _drop_weights(place: Path) -> None:
    """Delete the weights of a run: a hundred runs would fill a disk."""
    for name in (MODEL_FILE, TRAINING_FILE):
        (place / name).unlink(missing_ok=True)


def _draw(summary: dict[str, Any], contenders: Sequence[Contender], num_seeds: int, path: Path) -> None:
    values = [one.value for one in contenders if one.value is not None]
    figure = draw_comparison(
        summary["results"],
        title=f"{summary['num_epochs']} epochs, {num_seeds} seeds, {summary['feature'].replace('_', ' ')}, "
        + summary["tested_on"],
        values=values if len(values) == len(contenders) else None,
    )
    save_figure(figure, path)
