"""The demo on synthetic pedestrians: render, train from scratch, test, compare."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from reid_gl.config import load_experiment
from reid_gl.experiment.color_histogram import run_color_histogram
from reid_gl.experiment.score import run_test
from reid_gl.experiment.train import run_training
from reid_gl.experiment.untrained import run_untrained
from reid_gl.files import partial_of, write_text
from reid_gl.synthetic.plan import SyntheticSize
from reid_gl.synthetic.write_people import DEFAULT_SIZE, write_synthetic
from reid_gl.training.run_folder import CONFIG_FILE as RUN_CONFIG
from reid_gl.training.run_folder import TRAINING_FILE

logger = logging.getLogger(__name__)

CONFIG_FILE = "configs/synthetic.yml"
SUMMARY_FILE = "summary.json"


def run_demo(
    folder: Path,
    data: Path,
    *,
    seed: int = 0,
    size: SyntheticSize = DEFAULT_SIZE,
    overrides: tuple[str, ...] = (),
    stop_signal: Callable[[], int] = lambda: 0,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Render, score two baselines, train, test, and write summary.json.

    A demo that was interrupted during training is resumed; a finished one is moved aside, not replaced.

    Args:
        folder: folder for the results.
        data: folder that has the images, or that they will be rendered into.
        seed: seed of the people and of the training.
        size: size of the set to render.
        overrides: configuration keys and values on top of configs/synthetic.yml.
        stop_signal: number of the signal that asks to stop, or 0.
        progress: called with (done, total) while rendering.

    Returns:
        Scores by name, the "seconds" that each part took, and "resumed".

    Raises:
        FileExistsError: the folder holds files that do not belong to a demo.
    """
    resume = _make_room(folder)
    settings = ["DATA.ROOT", str(data), "SEED", str(seed), "OUTPUT_DIR", str(folder / "train"), *overrides]
    experiment = load_experiment(CONFIG_FILE, settings)
    seconds: dict[str, float | None] = {"install": _install_seconds()}
    with _timed(seconds, "render"):
        write_synthetic(data, seed=seed, size=size, progress=progress)
    with _timed(seconds, "test"):
        summary = {
            "colour_histogram": run_color_histogram(experiment),
            "untrained": run_untrained(experiment),
        }
    torch.manual_seed(seed)
    with _timed(seconds, "train"):
        weights, dataset = run_training(experiment, resume=resume, stop_signal=stop_signal)
    with _timed(seconds, "test"):
        summary["trained"] = run_test(replace(experiment, weights=weights), dataset)
    result = {**summary, "seconds": seconds, "resumed": resume, "seed": seed}
    write_text(folder / SUMMARY_FILE, json.dumps(result, indent=2) + "\n")
    return result


class _timed:  # noqa: N801 - reads like the context manager it is
    """Add the seconds that a block takes to an entry."""

    def __init__(self, seconds: dict[str, float | None], name: str) -> None:
        self._seconds, self._name = seconds, name

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        before = self._seconds.get(self._name) or 0.0
        self._seconds[self._name] = round(before + time.perf_counter() - self._start, 1)


def _make_room(folder: Path) -> bool:
    """Return whether the folder holds an unfinished training run; a finished demo is moved aside."""
    if not folder.exists():
        return False
    names = {file.name for file in folder.iterdir()}
    if SUMMARY_FILE not in names and names <= {"train", partial_of(Path(SUMMARY_FILE)).name}:
        resume = (folder / "train" / TRAINING_FILE).exists()
        if resume:
            logger.info("continuing the unfinished demo in %s", folder)
        return resume
    if not (SUMMARY_FILE in names and (folder / "train" / RUN_CONFIG).is_file()):
        raise FileExistsError(
            f"{folder} holds files that do not belong to a demo: choose another folder with --out"
        )
    number = 1
    while (aside := folder.with_name(f"{folder.name}-{number}")).exists():
        number += 1
    folder.rename(aside)
    logger.info("the earlier demo is kept in %s", aside)
    return False


def _install_seconds() -> float | None:
    """Return what the Makefile recorded when it set up the environment; None in other environments."""
    note = Path(sys.prefix) / "install_seconds"
    return float(note.read_text()) if note.is_file() else None
