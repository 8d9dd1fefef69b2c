"""From what a user calls weights, a path, a folder or a name on a hub, to one file."""

from __future__ import annotations

import functools
import logging
from pathlib import Path

from reid_gl.inference.extractor import reid_folder, weights_folder
from reid_gl.inference.extractor.hub_files import fetch_hub_weights, is_hub_name, is_in_hub_cache
from reid_gl.models.packaged import PACKAGED, PACKAGED_FILE

logger = logging.getLogger(__name__)

SUFFIXES = (".ckpt", ".safetensors", ".pth", ".pth.tar", ".pt", ".onnx", ".xml")
"""Endings of files that may be weights, for messages."""


def find_weights(weights: str | Path) -> Path:
    """Return the file of weights: downloaded, or in a folder of ours or of `reid`, or the path itself.

    Args:
        weights: a file; a folder that `reid-gl weights card` or `reid` wrote; hf://owner/repo; or "package",
            the network that is part of reid_gl.

    Raises:
        FileNotFoundError, ValueError, PermissionError, ImportError: as fetch_hub_weights; also if a folder
            holds both kinds of networks, or neither.
    """
    if is_hub_name(weights):
        return fetch_hub_weights(weights)
    if str(weights) == PACKAGED:
        _say_what_it_was_trained_on()
        return PACKAGED_FILE
    path = Path(weights)
    if not path.is_dir():
        return path
    ours = weights_folder.is_weights_config(path / weights_folder.CONFIG_FILE)
    found = [path / weights_folder.WEIGHTS_FILE] * ours
    found += [path / reid_folder.WEIGHTS_FILE] * (path / reid_folder.CONFIG_FILE).is_file()
    if len(found) > 1:
        raise ValueError(
            f"{path} has two networks ({', '.join(file.name for file in found)}): name one of these files"
        )
    if not found:
        raise ValueError(_name_a_file(path))
    return found[0]


@functools.cache
def _say_what_it_was_trained_on() -> None:
    logger.warning(
        "the network that is part of reid_gl has seen rendered people only, and recognises real people worse "
        "than one that was trained on them: give other weights for more than a first try"
    )


def _name_a_file(folder: Path) -> str:
    """Say that a folder does not tell which of its files is meant, and which there are."""
    names = sorted(file.name for file in folder.iterdir() if file.name.lower().endswith(SUFFIXES))
    files = f"has {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "has no weights"
    return (
        f"{folder} is a folder that reid-gl weights card did not write, and {files}: name a file"
        f"{f', such as {folder / names[0]}' if names else ''}"
    )


def results_folder(weights: Path) -> Path:
    """Return where results of weights are written: beside them, or here if their place is not the user's."""
    return Path() if is_in_hub_cache(weights) or weights == PACKAGED_FILE else weights.parent
