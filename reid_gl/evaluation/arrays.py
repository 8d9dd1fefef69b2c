"""Convert callers' lists, arrays and tensors to numpy arrays."""

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
