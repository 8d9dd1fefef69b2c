"""The neck between the pooled feature and the classifier."""

from __future__ import annotations

from torch import nn

NECKS = ("bnneck", "none")


def make_neck(name: str, num_features: int) -> nn.Module:
    """Build a neck from (N, D) to (N, D).

    Args:
        name: "bnneck", a batch normalisation with its bias fixed at 0, so that the classifier and the cosine
            distance share their origin; or "none".
        num_features: D.

    Raises:
        ValueError: the name is unknown.

    Source:
        Luo et al., "Bag of Tricks and a Strong Baseline for Deep Person Re-identification",
        CVPR Workshops 2019, section 3.6.
    """
    if name == "none":
        return nn.Identity()
    if name != "bnneck":
        raise ValueError(f"unknown neck {name!r}: expected one of {', '.join(NECKS)}")
    neck = nn.BatchNorm1d(num_features)
    neck.bias.requires_grad_(False)
    return neck
