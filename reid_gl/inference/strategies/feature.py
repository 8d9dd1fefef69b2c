"""Which of a network's outputs is compared."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reid_gl.similarity import unit_rows


def concatenate(before_neck: Tensor, after_neck: Tensor) -> Tensor:
    """Both embeddings (M, D), each of length one, side by side (M, 2D)."""
    return torch.cat([unit_rows(before_neck.float()), unit_rows(after_neck.float())], dim=1)


def feature_of(output: Any, feature: str) -> Tensor:  # noqa: ANN401
    """Select a feature (N, D) float32 from the output of a network.

    Args:
        output: a tensor, which is the feature whatever its name, or a ReidOutput.
        feature: "before_neck", "after_neck" or "concatenated".

    Raises:
        ValueError: a tensor cannot be concatenated, or the network gives no (N, D).
    """
    if isinstance(output, Tensor):
        if feature == "concatenated":
            raise ValueError("the network gives one tensor: there is nothing to concatenate with it")
        embeddings = output
    elif feature == "concatenated":
        embeddings = concatenate(output.before_neck, output.after_neck)
    else:
        embeddings = getattr(output, feature)
    if embeddings.ndim != 2:
        raise ValueError(f"the network must give one feature (N, D) per image, got {tuple(embeddings.shape)}")
    return embeddings.float()
