"""What ranks do in test_train_on_ranks: whole trainings of seconds."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch

from reid_gl.config import load_config
from reid_gl.distributed.place import StoppedTogetherError
from reid_gl.distributed.ranks import is_first, ranks
from reid_gl.experiment import run_training, same_everywhere
from reid_gl.training.fit import Interrupted


def train(words: list[str], *, resume: bool = False, stop_after: int = 0, stops: bool = True) -> Path:
    """Run a training; stop_after counts the steps after which a signal seems to come, to ranks that stop."""
    steps = 0

    def stop_signal() -> int:
        nonlocal steps
        steps += 1
        return 15 if stops and steps == stop_after else 0

    with torch.random.fork_rng():
        torch.manual_seed(0)
        return run_training(load_config(None, words), resume=resume, stop_signal=stop_signal)[0].parent


def train_straight_and_stopped(words: list[str], folder: Path) -> None:
    """A run from start to end, and one that a signal to the last rank stops, and that goes on."""
    train([*words, "OUTPUT_DIR", str(folder / "straight")])
    stopped = [*words, "OUTPUT_DIR", str(folder / "stopped")]
    is_last = ranks().rank == ranks().world_size - 1
    with pytest.raises(Interrupted) as stop:
        train(stopped, stop_after=8, stops=is_last)
    assert stop.value.signal_number == 15
    if is_first():
        (folder / "stopped" / "training.ckpt").rename(folder / "moved")  # to see that it is written once
        torch.save(torch.load(folder / "moved", weights_only=True), folder / "stopped" / "training.ckpt")
    train(stopped, resume=True)


def resume_elsewhere(words: list[str]) -> None:
    train(words, resume=True)


def refuse(words: list[str], folder: Path) -> None:
    """Mistakes on one rank or on all: rank 0 says why, and nothing has been made."""
    is_second = ranks().rank == 1
    check_refusal([*words, "SOLVER.IDENTITIES_PER_BATCH", "3"], "P=3 .* over 2 ranks: set .* to 2 or 4")
    check_refusal([*words, "SOLVER.IDENTITIES_PER_BATCH", "12"], "P=12 different identities and .* has 8")
    other = ["SOLVER.BASE_LR", "0.1"] if is_second else []
    check_refusal([*words, *other], "rank 1: the configuration .*SOLVER.BASE_LR was 0.00035, is now 0.1")
    other = ["DATA.ROOT", str(folder / "nowhere")] if is_second else []
    check_refusal([*words, *other], "rank 1: .*nowhere")
    with pytest.MonkeyPatch.context() as patch:
        if is_second:
            patch.setattr(same_everywhere, "describe_program", lambda: {"torch": "another", "the digest": ""})
        check_refusal(words, "rank 1: torch is another here and ")
    others = Path(words[words.index("DATA.ROOT") + 1])
    if is_second:
        others = copy_without_one_image(others, folder / "fewer")
    check_refusal([*words, "DATA.ROOT", str(others)], "rank 1: the training set has 47 images here and 48")


def check_refusal(words: list[str], message: str) -> None:
    errors = (ValueError, OSError) if is_first() else (StoppedTogetherError,)
    with pytest.raises(errors, match=message if is_first() else "rank 0 reports"):
        train(words)
    assert not Path(words[words.index("OUTPUT_DIR") + 1]).exists()


def copy_without_one_image(root: Path, target: Path) -> Path:
    shutil.copytree(root, target)
    sorted((target / "bounding_box_train").iterdir())[0].unlink()
    return target


def train_in_other_ways(words: list[str], folder: Path) -> None:
    """Settings that work differently on several ranks, all at once."""
    settings = {
        "SOLVER.PRECISION": "bfloat16",
        "SOLVER.MICRO_BATCH": "2",
        "SOLVER.FREEZE_EPOCHS": "1",
        "SOLVER.GATHER": "False",
        "SOLVER.SYNC_BATCH_NORM": "False",
        "SOLVER.NUM_EPOCHS": "2",
        "DATA.HOLDOUT": "0.25",
        "DATA.CACHE": str(folder / "cache"),
        "DATA.NUM_WORKERS": "1",
    }
    train([*words, *(word for pair in settings.items() for word in pair)])
