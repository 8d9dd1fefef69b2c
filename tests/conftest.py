from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_gl.records import Sample

WriteNoise = Callable[..., Path]
MakeSamples = Callable[..., list[Sample]]

TESTS = Path(__file__).parent
LONGEST = (
    "cli/test_torchrun.py",
    "tracking/test_tracking_quality.py",
    "experiment/test_train_on_ranks.py",
    "cli/test_commands.py",
    "experiment/comparing/test_compare_losses.py",
    "inference/strategies/test_apply.py",
    "test_notebooks.py",
    "experiment/comparing/test_cross_domain.py",
    "cli/test_export.py",
    "cli/test_foreign.py",
    "training/test_parallel.py",
    "experiment/reporting/test_report.py",
)
"""Files whose tests or fixtures take more than ten seconds."""
LOGGERS = ("reid_gl", "reid_gl.evaluation", "uvicorn")
"""What commands set up: the package's own logger, a part of it, and that of the server."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the longest files first: at the end, two workers can only share what has not begun."""
    items.sort(key=lambda item: item.path.relative_to(TESTS).as_posix() not in LONGEST)


@contextmanager
def logging_as_it_was() -> Iterator[None]:
    """Restore the logging that commands set up as if the process were theirs."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    states = [(logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    try:
        yield
    finally:
        for logger, (level, handlers, propagate) in zip(loggers, states, strict=True):
            logger.handlers[:] = handlers
            logger.setLevel(level)
            logger.propagate = propagate


@pytest.fixture(autouse=True)
def _logging_of_a_new_process() -> Iterator[None]:
    """Undo what commands set up, also those that a fixture of a wider scope has run."""
    with logging_as_it_was():
        for name in LOGGERS:
            logger = logging.getLogger(name)
            logger.handlers.clear()
            logger.setLevel(logging.NOTSET)
            logger.propagate = True
        yield


@pytest.fixture
def write_noise(tmp_path: Path) -> WriteNoise:
    """Write an image of random pixels: write_noise("a.png", seed=0, size=(rows, columns))."""

    def write(name: str, *, seed: int = 0, size: tuple[int, int] = (32, 16)) -> Path:
        pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
        path = tmp_path / name
        assert cv2.imwrite(str(path), pixels)
        return path

    return write


@pytest.fixture
def make_samples(write_noise: WriteNoise) -> MakeSamples:
    """Samples of (pid, camid) pairs, each with an image of its own."""

    def make(*people: tuple[int, int], prefix: str = "") -> list[Sample]:
        return [
            Sample(str(write_noise(f"{prefix}{number:03d}.jpg", seed=number)), pid, camid)
            for number, (pid, camid) in enumerate(people)
        ]

    return make
