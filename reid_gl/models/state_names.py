"""Finds the state dict in a file and removes name prefixes that wrappers added."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

Tensors = dict[str, Tensor]
CONTAINERS = (
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "net_dict",
    "network",
    "module",
    "weights",
    "params",
    "ema",
    "ema_state_dict",
    "model_ema",
    "state_dict_ema",
)
"""Keys under which projects store a state dict. The first one present is used; averaged weights come last."""
PREFIXES = ("module", "_orig_mod", "model", "net", "network", "encoder_q")
"""Prefixes that DataParallel, torch.compile, Lightning, training scripts and MoCo add to every name."""
MAX_DEPTH = 4


class NoTensorsError(ValueError):
    """A file without tensors that can be read."""


def find_state_dict(found: object, source: str) -> Tensors:
    """Return the named tensors of a loaded file, taken out of containers; everything else is dropped.

    Raises:
        NoTensorsError: there are none; the message lists the keys found.
        ValueError: a tensor cannot be copied.
    """
    inner = _unwrapped(found, MAX_DEPTH)
    if inner is None:
        what = shown_names(found) if isinstance(found, Mapping) else f"a {type(found).__name__}"
        raise NoTensorsError(f"{source} holds no state dict: expected names and tensors, found {what}")
    tensors = {str(name): value for name, value in inner.items() if isinstance(value, Tensor)}
    check_tensors(tensors, source)
    return tensors


def check_tensors(tensors: Mapping[str, Any], source: str) -> None:
    """Check that a network can load these tensors: not sparse, not quantised, no larger than their storage.

    Raises:
        ValueError: a tensor fails the check; names the first one.
    """
    for name, value in tensors.items():
        if not isinstance(value, Tensor):
            raise ValueError(f"{source}: expected a tensor under {name!r}, got {type(value).__name__}")
        if value.layout != torch.strided or value.is_meta or value.is_quantized:
            raise ValueError(f"{source}: the tensor {name!r} is sparse, quantised or without numbers")
        if value.numel() * value.element_size() > value.untyped_storage().nbytes():
            raise ValueError(
                f"{source}: the tensor {name!r} has {value.numel()} numbers, more than the file holds"
            )


def strip_prefixes(tensors: Tensors) -> Tensors:
    """Remove wrappers' prefixes from the names; in a file with several networks, keep the wrapped one.

    A prefix is removed if at least a third of the names have it. Names without it are then dropped, such as
    MoCo's second encoder or Lightning's loss.
    """
    tensors = {name.replace("_orig_mod.", ""): value for name, value in tensors.items()}
    while tensors:
        counts = {prefix: _starting(tensors, prefix) for prefix in PREFIXES}
        prefix = max(PREFIXES, key=lambda prefix: len(counts[prefix]))
        if 3 * len(counts[prefix]) < len(tensors):
            break
        dropped = [name for name in tensors if not name.startswith(f"{prefix}.")]
        if dropped:
            logger.info("only %s.* is used, left out: %s", prefix, shown_names(dropped))
        tensors = {name.removeprefix(f"{prefix}."): tensors[name] for name in counts[prefix]}
    return tensors


def fit_names(tensors: Tensors, wanted: Collection[str], parts: Iterable[str]) -> Tensors:
    """Rename tensors to match a network's names, by removing prefixes only.

    Args:
        tensors: by their names in the file.
        wanted: the network's tensor names.
        parts: modules of the file's network that may be the wanted network, such as "backbone".

    Returns:
        The tensors under the names that match best; unchanged if no removal matches better.
    """
    stripped = strip_prefixes(tensors)
    inner = [
        {
            name.removeprefix(f"{part}."): value
            for name, value in stripped.items()
            if name.startswith(f"{part}.")
        }
        for part in parts
    ]
    choices = [tensors, stripped, *inner]
    return max(choices, key=lambda choice: sum(name in choice for name in wanted))


def shown_names(names: Iterable[object]) -> str:
    """Format the number of names in a file and the first few, for a message."""
    shown = [str(name)[:60] for name in names]
    if not shown:
        return "nothing"
    return f"{len(shown)} names ({', '.join(shown[:5])}{', ...' if len(shown) > 5 else ''})"


def _starting(tensors: Tensors, prefix: str) -> list[str]:
    return [name for name in tensors if name.startswith(f"{prefix}.")]


def _unwrapped(found: object, depth: int) -> Mapping[Any, Any] | None:
    """Return the innermost dictionary that holds tensors; None if there is none."""
    if not isinstance(found, Mapping) or depth == 0:
        return None
    for key in CONTAINERS:
        inner = _unwrapped(found.get(key), depth - 1)
        if inner is not None:
            return inner
    return found if any(isinstance(value, Tensor) for value in found.values()) else None
