"""A resumable series of training runs in one folder."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from reid_gl.config import Config, describe_changes, read_experiment, read_kept
from reid_gl.experiment.comparing.job_process import Job
from reid_gl.experiment.comparing.jobs import POLL_SECONDS, describe_rest, gpus_to_deal, run_jobs
from reid_gl.experiment.train import run_training
from reid_gl.files import make_folder, partial_of, write_text
from reid_gl.records import ReidDataset
from reid_gl.training.run_folder import CONFIG_FILE, TRAINING_FILE, describe_environment, is_in_use
from reid_gl.untrusted.json_files import read_json_object
from reid_gl.untrusted.regular_file import why_no_file

logger = logging.getLogger(__name__)

MAY_CHANGE = ("DATA.NUM_WORKERS", "MODEL.DEVICE", "OUTPUT_DIR")  # a series on other images is another series
RESULT_FILE = "result.json"
SECONDS_TO_WAIT = 60
"""How long a run waits for the process that still saves it, after a command with several jobs was killed."""
OWN_FILES = ("environment.json", *(partial_of(Path(name)).name for name in ("environment.json", CONFIG_FILE)))
"""Files of a series that was stopped before its first run."""


def open_series(folder: Path, config: Config, *, kind: str) -> None:
    """Create the folder, or check that it holds a series of the same configuration.

    Args:
        folder: folder of all runs.
        config: their common configuration.
        kind: name of the series in messages.

    Raises:
        ValueError: the folder holds a series of another configuration.
        FileExistsError: it holds other files.
    """
    config_file, text = folder / CONFIG_FILE, read_experiment(config).config_text
    if config_file.is_file():
        old, name = read_kept(config_file), str(config_file)
        if changed := describe_changes(old, text, may_change=MAY_CHANGE, source=name):
            raise ValueError(
                f"{folder} holds a {kind} of another configuration ({changed}): choose another folder with "
                "--output"
            )
        return
    make_folder(folder)
    if foreign := sorted(file.name for file in folder.iterdir() if file.name not in OWN_FILES):
        raise FileExistsError(
            f"{folder} holds {', '.join(foreign[:3])}, and no {kind}: choose another folder with --output"
        )
    write_text(folder / "environment.json", json.dumps(describe_environment(), indent=2) + "\n")
    write_text(config_file, text)


def train_or_resume(config: Config, place: Path, stop_signal: Callable[[], int]) -> tuple[Path, ReidDataset]:
    """Train one run of a series, or resume it where it was stopped.

    Args:
        config: the configuration of the run; its OUTPUT_DIR becomes `place`.
        place: the folder of the run, whatever it holds.
        stop_signal: number of the signal that asks to stop, or 0.

    Returns:
        The weights to use, and the data set.

    Raises:
        What run_training raises.
    """
    deadline = time.monotonic() + SECONDS_TO_WAIT
    if is_in_use(place):
        logger.info("another process still trains in %s: waiting for it", place)
    while is_in_use(place) and time.monotonic() < deadline and not stop_signal():
        time.sleep(POLL_SECONDS)
    return run_training(config, resume=(place / TRAINING_FILE).is_file(), stop_signal=stop_signal)


def read_result(place: Path, find_fault: Callable[[dict[str, Any]], str]) -> dict[str, Any]:
    """Read what a finished run has left.

    Args:
        place: folder of the run.
        find_fault: returns what is wrong with a result, such as "has no mAP in [0, 1]"; "" if nothing is.

    Raises:
        ValueError: it is damaged, or no such result.
    """
    path, advice = place / RESULT_FILE, "delete it to test and train this run again"
    result = read_json_object(path, advice=advice)
    if fault := find_fault(result):
        raise ValueError(f"{path} {fault}: {advice}")
    return result


def is_share(value: object) -> bool:
    """Return whether a value of a JSON file is a number in [0, 1]."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def run_unfinished(
    jobs: Mapping[Path, Job], *, num_jobs: int, device: str, stop_signal: Callable[[], int] = lambda: 0
) -> None:
    """Run the jobs that have no result yet.

    Several jobs at the same time are processes that import the main script again, so a script of your own
    needs `if __name__ == "__main__":`. The results do not depend on how many there are, except that fewer
    threads may round sums differently.

    Args:
        jobs: what leaves a result file, by its folder.
        num_jobs: how many run at the same time; one job runs in this process.
        device: MODEL.DEVICE; several jobs get one GPU each, in turn.
        stop_signal: number of the signal that asks to stop, or 0.

    Raises:
        ValueError: a result file is no regular file.
        Interrupted: stopped by a signal.
        ChildProcessError: of several jobs some failed; one that runs in this process raises its own error.
    """
    for path in (place / RESULT_FILE for place in jobs):
        if path.exists() and not path.is_file():  # it could not be replaced after the training
            raise ValueError(f"{path} {why_no_file(path)}: remove it")
    left = [job for place, job in jobs.items() if not (place / RESULT_FILE).is_file()]
    if done := len(jobs) - len(left):
        logger.info("%d of %d runs are finished", done, len(jobs))
    if num_jobs > 1 and left:
        run_jobs(left, num_jobs=num_jobs, gpus=gpus_to_deal(device), stop_signal=stop_signal)
        return
    start = time.perf_counter()
    for number, job in enumerate(left):
        rest = describe_rest(start, number, len(left))
        logger.info("run %d of %d%s: %s", number + 1, len(left), rest, job.name)
        job.function(*job.arguments, stop_signal)


def check_num_jobs(num_jobs: int) -> None:
    """Raise ValueError if the number of jobs is below 1."""
    if num_jobs < 1:
        raise ValueError(f"--jobs must be at least 1, got {num_jobs}")
