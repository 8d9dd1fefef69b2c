"""Numbers as callers have them, as arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

HAS_NO_NUMPY = (torch.bfloat16,)


def as_array(values: ArrayLike | torch.Tensor) -> NDArray[Any]:
    """An array of what is given; a tensor is taken from its device and gradient, bfloat16 becomes float32."""
    if not isinstance(values, torch.Tensor):
        return np.asarray(values)
    values = values.detach().cpu()
    array: NDArray[Any] = (values.float() if values.dtype in HAS_NO_NUMPY else values).numpy()
    return array
