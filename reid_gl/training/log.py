"""Logs of a training run: a progress bar, a JSON-lines file and TensorBoard."""

from __future__ import annotations

import json
import logging
import time
from pathlib import Path
from typing import Any

from tqdm import tqdm

from reid_gl.files import write_text
from reid_gl.training.event_file import EventFile
from reid_gl.training.run_folder import LOG_FILE, TENSORBOARD_FOLDER
from reid_gl.untrusted.regular_file import MAX_TEXT_BYTES, read_regular_file

logger = logging.getLogger(__name__)


class RunLog:
    """Logs the steps and epochs of a run; on resume it drops the lines after the checkpoint.

    Args:
        folder: the run folder.
        num_epochs: length of training.
        steps_per_epoch: steps of the first epoch; other epochs may differ by a few.
        batch_size: images per step.
        epoch: number of epochs finished before.
        step: number of steps finished after those epochs.
        every: steps between two lines.
    """

    def __init__(
        self,
        folder: Path,
        *,
        num_epochs: int,
        steps_per_epoch: int,
        batch_size: int,
        epoch: int = 0,
        step: int = 0,
        every: int = 10,
    ) -> None:
        self._path = folder / LOG_FILE
        _drop_lines_after(self._path, epoch, step)
        self._file = self._path.open("a", encoding="utf-8")
        self._num_epochs, self._steps_per_epoch, self._every = num_epochs, steps_per_epoch, every
        done = epoch * steps_per_epoch + step
        self._writer = EventFile(folder / TENSORBOARD_FOLDER, purge_step=done or None)
        self._bar = tqdm(
            total=num_epochs * steps_per_epoch * batch_size,
            initial=done * batch_size,
            unit="image",
            dynamic_ncols=True,
            disable=None,  # shows no bar unless stderr is a terminal
        )
        self._sums: dict[str, float] = {}
        self._count = self._images = 0
        self._since = time.perf_counter()

    def step(self, epoch: int, step: int, num_images: int, values: dict[str, float]) -> None:
        """Add one step; every few steps, write the means since the last line."""
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value
        self._count += 1
        self._images += num_images
        self._bar.update(num_images)
        if step % self._every == 0:
            self._flush(epoch, step)

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Finish an epoch, counted from 1."""
        self._flush(epoch, 0)
        if metrics:
            self._write({"type": "evaluation", "epoch": epoch, "step": 0, **metrics})
            for name, value in metrics.items():
                self._writer.add_scalar(f"evaluation/{name}", value, epoch * self._steps_per_epoch)
            logger.info("epoch %d: %s", epoch, ", ".join(f"{k} {v:.3f}" for k, v in metrics.items()))
        self._since = time.perf_counter()  # do not count the evaluation's time as training

    def close(self) -> None:
        """Flush and close everything."""
        self._bar.close()
        self._file.close()
        self._writer.close()

    def _flush(self, epoch: int, step: int) -> None:
        if not self._count:
            return
        now = time.perf_counter()
        means = {name: value / self._count for name, value in self._sums.items()}
        rate = self._images / (now - self._since)
        self._write({"type": "step", "epoch": epoch, "step": step, **means, "images_per_second": rate})
        place = epoch * self._steps_per_epoch + step
        for name, value in {**means, "images_per_second": rate}.items():
            self._writer.add_scalar(f"training/{name}", value, place)
        shown = {
            name: f"{value:.3f}" for name, value in means.items() if name not in ("total", "learning_rate")
        }
        self._bar.set_description(f"epoch {min(epoch + 1, self._num_epochs)}/{self._num_epochs}")
        self._bar.set_postfix(shown)
        if step == 0 and self._bar.disable:
            logger.info("epoch %d/%d: %s, %.0f images/s", epoch, self._num_epochs, shown, rate)
        self._sums, self._count, self._images, self._since = {}, 0, 0, now

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


class SilentLog:
    """The log of a rank that leaves reporting to rank 0."""

    def step(self, epoch: int, step: int, num_images: int, values: dict[str, float]) -> None:
        """Ignore a step."""

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Ignore an epoch."""

    def close(self) -> None:
        """Do nothing: no file is open."""


def _drop_lines_after(path: Path, epoch: int, step: int) -> None:
    """Keep only the lines up to the resumed checkpoint; also drop what is no line of a log."""
    if not path.exists():
        return
    kept = []
    content = read_regular_file(path, max_bytes=MAX_TEXT_BYTES).decode("utf-8", errors="replace")
    for text in content.splitlines():
        try:
            line = json.loads(text)
            if (line["epoch"], line["step"]) <= (epoch, step):
                kept.append(text)
        except (ValueError, TypeError, LookupError, RecursionError):
            continue
    write_text(path, "".join(f"{text}\n" for text in kept))
