"""Training state on disk: a checkpoint is written completely, or the previous one is kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from reid_gl.files import whole_or_nothing


def save_checkpoint(checkpoint: dict[str, Any], path: str | Path) -> None:
    """Write tensors and plain values to a file that appears, or is replaced, in one step.

    Args:
        checkpoint: dictionary that torch.load(weights_only=True) reads back.
        path: file; a reader never sees a partial file, and a failure leaves the old one.

    Raises:
        OSError: the disk is full or not writable; the message says that nothing was lost.
    """
    path = Path(path)
    try:
        with whole_or_nothing(path) as partial, partial.open("wb") as file:
            torch.save(checkpoint, file)
            file.flush()
            os.fsync(file.fileno())
    except (OSError, RuntimeError) as error:  # torch reports a failed write as RuntimeError
        cause = error if isinstance(error, OSError) else error.__cause__ or error.__context__ or error
        state = "the previous one is intact" if path.exists() else "there is no previous one"
        raise OSError(
            f"checkpoint {path} could not be written ({cause}); {state}: free some space, then resume"
        ) from error
