"""Many trainings in one folder, gone on with where they were stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from reid_gl.config import Config, describe_changes, read_experiment
from reid_gl.experiment.train import run_training
from reid_gl.files import partial_of, write_text
from reid_gl.records import ReidDataset
from reid_gl.training.run_folder import CONFIG_FILE, TRAINING_FILE, describe_environment

MAY_CHANGE = ("DATA.NUM_WORKERS", "MODEL.DEVICE", "OUTPUT_DIR")  # other images are another series
RESULT_FILE = "result.json"
OWN_FILES = ("environment.json", *(partial_of(Path(name)).name for name in ("environment.json", CONFIG_FILE)))
"""What a series that was stopped at once has left."""


def open_series(folder: Path, config: Config, *, kind: str) -> None:
    """Make the folder, or see that it holds a series of the same configuration.

    Args:
        folder: of all runs.
        config: what they have in common.
        kind: how messages call the series.

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


def train_or_go_on(config: Config, place: Path, stop_signal: Callable[[], int]) -> tuple[Path, ReidDataset]:
    """One training of a series, from where it was stopped.

    Args:
        config: its configuration, with `place` as OUTPUT_DIR.
        place: its folder, whatever it holds.
        stop_signal: number of the signal that asks to stop, or 0.

    Returns:
        The weights to use, and the data set.

    Raises:
        What run_training raises.
    """
    return run_training(config, resume=(place / TRAINING_FILE).is_file(), stop_signal=stop_signal)
