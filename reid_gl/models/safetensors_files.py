"""Tensors in .safetensors files; the only file that imports safetensors."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from torch import Tensor

from reid_gl.models.weight_files import check_regular

SUFFIX = ".safetensors"
MAX_HEADER = 10_000_000
"""Maximum size of the list of tensors in bytes; a network of a thousand tensors has about 100,000."""


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read the tensors of a file by name, to the CPU; no code in it can be executed.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not regular, is damaged, or of another kind.
        ImportError: safetensors is not installed.
    """
    check_regular(path)
    with path.open("rb") as file:
        header = int.from_bytes(file.read(8), "little")
    if header > MAX_HEADER:
        raise ValueError(
            f"{path} is damaged or no {SUFFIX} file (it says that its header has {header:,} bytes, more than "
            f"the limit of {MAX_HEADER:,}): copy it again"
        )
    package = _import_safetensors(path)
    error_of_file = importlib.import_module("safetensors").SafetensorError
    try:
        tensors: dict[str, Tensor] = package.load_file(path, device="cpu")
    except (error_of_file, OSError, ValueError) as error:
        raise ValueError(f"{path} is damaged or no {SUFFIX} file ({error}): copy it again") from None
    return tensors


def write_safetensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write tensors by name; ImportError if safetensors is not installed."""
    own = {name: value.detach().cpu().contiguous().clone() for name, value in tensors.items()}
    _import_safetensors(path).save_file(own, path)


def _import_safetensors(path: Path) -> ModuleType:
    try:
        return importlib.import_module("safetensors.torch")
    except ImportError:
        raise ImportError(
            f"{path} needs safetensors, which is not installed: pip install 'reid_gl[safetensors]'"
        ) from None
