"""Reads state dicts written by other projects, without executing code from the file."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import torch

from reid_gl.models.safetensors_files import SUFFIX, read_safetensors
from reid_gl.models.state_names import NoTensorsError, Tensors, find_state_dict, strip_prefixes
from reid_gl.models.weight_files import check_weight_file
from reid_gl.models.weights import BROKEN_FILE, CHECKPOINT_FORMAT


def read_state_dict(path: Path) -> Tensors:
    """Return the tensors of a checkpoint, taken out of containers and without wrappers' name prefixes.

    Raises:
        FileNotFoundError: no such file.
        NoTensorsError: the file is not a torch file, or holds Python objects or no tensors.
        ValueError: it is a checkpoint of reid_gl, or damaged.
    """
    if path.suffix.lower() == SUFFIX:
        return strip_prefixes(read_safetensors(path))
    check_weight_file(path)
    try:
        with torch.serialization.safe_globals(_numpy_numbers()):
            found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        name = re.search(r"GLOBAL (\S+)", str(error))
        raise NoTensorsError(
            f"{path} is no torch file, or holds Python objects ({name[1] if name else 'unknown'}), which are "
            "never loaded: save the network's state_dict() with the project that made it"
        ) from None
    except BROKEN_FILE:
        raise NoTensorsError(f"{path} is truncated or no torch file: copy or download it again") from None
    if isinstance(found, dict) and found.get("format") == CHECKPOINT_FORMAT:
        raise ValueError(
            f"{path} is a checkpoint of reid_gl and knows its network: leave the architecture out"
        )
    return strip_prefixes(find_state_dict(found, str(path)))


def _numpy_numbers() -> list[Any]:
    """Types that torch.load needs for a NumPy scalar: torchreid stores rank-1 as one in its checkpoints."""
    make_scalar = np.float32(0).__reduce__()[0]
    names = ("numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar")  # NumPy 1 and 2
    numbers = [type(np.dtype(name)) for name in ("float32", "float64")]
    return [*((make_scalar, name) for name in names), np.dtype, *numbers]
