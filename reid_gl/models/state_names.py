"""Where a file keeps its tensors, and what of their names is only the wrapper they were saved in."""

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
"""Keys under which projects keep a state dict; the first that is there counts, averaged weights come last."""
PREFIXES = ("module", "_orig_mod", "model", "net", "network", "encoder_q")
"""What DataParallel, torch.compile, Lightning, training scripts and MoCo put before every name."""
MAX_DEPTH = 4


def find_state_dict(found: object, source: str) -> Tensors:
    """The names and tensors in what a file holds, out of its containers; the rest is left behind.

    Raises:
        ValueError: there are none, with the keys that were found; or tensors that cannot be copied.
    """
    inner = _unwrapped(found, MAX_DEPTH)
    if inner is None:
        what = shown_names(found) if isinstance(found, Mapping) else f"a {type(found).__name__}"
        raise ValueError(f"{source} holds no state dict: expected names and tensors, found {what}")
    tensors = {str(name): value for name, value in inner.items() if isinstance(value, Tensor)}
    check_tensors(tensors, source)
    return tensors


def check_tensors(tensors: Mapping[str, Any], source: str) -> None:
    """Whether these are tensors that a network can take over: not sparse or quantised, no larger than stored.

    Raises:
        ValueError: names the first that is not.
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
    """Without what wrappers put before the names; of a file with more than one network, the wrapped one.

    A prefix goes if at least a third of the names have it, and so does every name without it: MoCo's other
    encoder, Lightning's loss.
    """
    tensors = {name.replace("_orig_mod.", ""): value for name, value in tensors.items()}
    while tensors:
        counts = {prefix: _starting(tensors, prefix) for prefix in PREFIXES}
        prefix = max(PREFIXES, key=lambda prefix: len(counts[prefix]))
        if 3 * len(counts[prefix]) < len(tensors):
            break
        dropped = [name for name in tensors if not name.startswith(f"{prefix}.")]
        if dropped:
            logger.info("left out beside %s.*: %s", prefix, shown_names(dropped))
        tensors = {name.removeprefix(f"{prefix}."): tensors[name] for name in counts[prefix]}
    return tensors


def fit_names(tensors: Tensors, wanted: Collection[str], parts: Iterable[str]) -> Tensors:
    """The tensors under the names that a network wants, as far as prefixes decide it.

    Args:
        tensors: by the file's names.
        wanted: the network's names.
        parts: what the network may be inside of the file's one, such as "backbone".

    Returns:
        With the names that fit best; as they are if nothing fits better.
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
    """The first names of a file, for a message."""
    shown = [str(name)[:60] for name in names]
    if not shown:
        return "nothing"
    return f"{len(shown)} names ({', '.join(shown[:5])}{', ...' if len(shown) > 5 else ''})"


def _starting(tensors: Tensors, prefix: str) -> list[str]:
    return [name for name in tensors if name.startswith(f"{prefix}.")]


def _unwrapped(found: object, depth: int) -> Mapping[Any, Any] | None:
    """The innermost dictionary with tensors, None if there is none."""
    if not isinstance(found, Mapping) or depth == 0:
        return None
    for key in CONTAINERS:
        inner = _unwrapped(found.get(key), depth - 1)
        if inner is not None:
            return inner
    return found if any(isinstance(value, Tensor) for value in found.values()) else None
