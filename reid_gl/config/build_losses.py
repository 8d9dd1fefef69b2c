"""From the LOSS section to losses and their weighted sum."""

from __future__ import annotations

from torch import nn
from yacs.config import CfgNode

from reid_gl.losses import LossTerm, WeightedSum, make_loss
from reid_gl.losses.group_settings import OTHERS

NOT_THE_LOSSES_OWN = ("FEATURE", "LR_FACTOR")
NONE_IF_NEGATIVE = {
    "group": ("similarity_scale",),
    "multi_similarity": ("epsilon",),
    "ranked_list": ("balance",),
}
"""Settings that can be switched off: None in Python, a negative number in a file."""


def build_losses(config: CfgNode, num_classes: int, num_features: int) -> WeightedSum:
    """The weighted sum of LOSS.NAMES; nothing else is made.

    Args:
        config: the experiment.
        num_classes: C, training identities.
        num_features: D of the network's embeddings.

    Raises:
        ValueError: unknown or repeated name, another number of weights, or a setting out of range.
    """
    names, weights = config.LOSS.NAMES, config.LOSS.WEIGHTS
    if len(names) != len(weights) or len(set(names)) != len(names):
        raise ValueError(f"LOSS.NAMES {names} needs one weight each in LOSS.WEIGHTS {weights}, no name twice")
    if "group" in names:
        _check_partners(config)
    terms = []
    for name, weight in zip(names, weights, strict=True):
        loss = build_loss(config, name, num_classes, num_features)
        section = config.LOSS[name.upper()]
        feature, lr_factor = section.get("FEATURE", "before_neck"), section.get("LR_FACTOR", 1.0)
        terms.append(LossTerm(name, loss, weight, feature, lr_factor))
    return WeightedSum(terms)


def _check_partners(config: CfgNode) -> None:
    """Leave-one-out needs another identity to tell from, and another image of the same one to vote."""
    shape = config.SOLVER.IDENTITIES_PER_BATCH, config.SOLVER.IMAGES_PER_IDENTITY
    if config.LOSS.GROUP.ANCHORS_PER_CLASS == OTHERS and min(shape) < 2:
        raise ValueError(
            "LOSS.GROUP.ANCHORS_PER_CLASS others needs at least 2 identities and 2 images of each in a "
            f"batch, got SOLVER.IDENTITIES_PER_BATCH {shape[0]} and SOLVER.IMAGES_PER_IDENTITY {shape[1]}"
        )


def build_loss(config: CfgNode, name: str, num_classes: int, num_features: int) -> nn.Module:
    """The loss of that name with its settings in LOSS, whether or not it is in LOSS.NAMES.

    Raises:
        ValueError: unknown name, or a setting out of range.
    """
    section = config.LOSS.get(name.upper(), {})
    settings = {key.lower(): value for key, value in section.items() if key not in NOT_THE_LOSSES_OWN}
    for key in NONE_IF_NEGATIVE.get(name, ()):
        settings[key] = settings[key] if settings[key] >= 0 else None
    return make_loss(name, num_classes=num_classes, num_features=num_features, **settings)
