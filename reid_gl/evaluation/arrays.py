"""Convert callers' lists, arrays and tensors to numpy arrays, and check floating-point whole numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

HAS_NO_NUMPY = (torch.bfloat16,)


def as_array(values: ArrayLike | torch.Tensor) -> NDArray[Any]:
    """Convert to a numpy array. Tensors are detached and moved to the CPU; bfloat16 becomes float32."""
    if not isinstance(values, torch.Tensor):
        return np.asarray(values)
    values = values.detach().cpu()
    array: NDArray[Any] = (values.float() if values.dtype in HAS_NO_NUMPY else values).numpy()
    return array


def check_told_apart(name: str, values: NDArray[Any]) -> None:
    """Refuse whole numbers in floating point that are so large that adjacent ones have the same value.

    Args:
        name: of the numbers, for the message.
        values: whole numbers of any shape and type.

    Raises:
        ValueError: one is as large as that.
    """
    if values.dtype.kind != "f" or not values.size:
        return
    exact = 2 ** (int(np.finfo(str(values.dtype)).nmant) + 1)
    largest = int(values.flat[np.abs(values).argmax()])
    if abs(largest) >= exact:  # an adjacent whole number may have been rounded to it
        raise ValueError(
            f"{name} are {values.dtype}, which tells whole numbers apart below {exact} only, and reach "
            f"{largest}: different identities would be one; give them as integers"
        )
