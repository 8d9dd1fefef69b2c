"""Select the feature that is compared from a network's output."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reid_gl.similarity import unit_rows


def concatenate(before_neck: Tensor, after_neck: Tensor) -> Tensor:
    """Normalise both embeddings (M, D) and concatenate them to (M, 2D)."""
    return torch.cat([unit_rows(before_neck.float()), unit_rows(after_neck.float())], dim=1)


def feature_of(output: Any, feature: str) -> Tensor:  # noqa: ANN401
    """Select a feature (N, D) float32 from the output of a network.

    Args:
        output: a ReidOutput, or a tensor, which is used as "before_neck" and as "after_neck".
        feature: "before_neck", "after_neck" or "concatenated".

    Raises:
        ValueError: "concatenated" is requested of a single tensor, or the feature is not (N, D).
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
