"""A resumable series of training runs in one folder."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from reid_gl.config import Config, describe_changes, read_experiment
from reid_gl.experiment.train import run_training
from reid_gl.files import partial_of, write_text
from reid_gl.records import ReidDataset
from reid_gl.training.run_folder import CONFIG_FILE, TRAINING_FILE, describe_environment

MAY_CHANGE = ("DATA.NUM_WORKERS", "MODEL.DEVICE", "OUTPUT_DIR")  # a series on other images is another series
RESULT_FILE = "result.json"
OWN_FILES = ("environment.json", *(partial_of(Path(name)).name for name in ("environment.json", CONFIG_FILE)))
"""Files that a series leaves if it is stopped at once."""


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
        old = config_file.read_text(encoding="utf-8")
        if changed := describe_changes(old, text, may_change=MAY_CHANGE):
            raise ValueError(
                f"{folder} holds a {kind} of another configuration ({changed}): choose another folder with "
                "--output"
            )
        return
    folder.mkdir(parents=True, exist_ok=True)
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
    return run_training(config, resume=(place / TRAINING_FILE).is_file(), stop_signal=stop_signal)
