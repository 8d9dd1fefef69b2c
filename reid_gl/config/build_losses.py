"""Builds the losses and their weighted sum from the LOSS section."""

from __future__ import annotations

from typing import Any

from torch import nn
from yacs.config import CfgNode

from reid_gl.config.keys import take
from reid_gl.config.loss_keys import FEATURE, LR_FACTOR, loss_keys
from reid_gl.losses import LOSSES, LossTerm, WeightedSum, make_loss
from reid_gl.losses.group_settings import OTHERS
from reid_gl.records import FEATURES


def build_losses(config: CfgNode, num_classes: int, num_features: int) -> WeightedSum:
    """Build the weighted sum of the losses in LOSS.NAMES; no other loss is built.

    Args:
        config: the experiment.
        num_classes: C, the number of training identities.
        num_features: D of the network's embeddings.

    Raises:
        ValueError: a name is unknown or repeated, the number of weights differs, or a setting is out of
            range.
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
        feature, lr_factor = section.get(FEATURE, FEATURES[0]), section.get(LR_FACTOR, 1.0)
        terms.append(LossTerm(name, loss, weight, feature, lr_factor))
    return WeightedSum(terms)


def _check_partners(config: CfgNode) -> None:
    """Check that leave-one-out Group Loss gets batches with at least two identities and two images of each.

    The loss needs another image of the same identity to vote and a second identity to compete with.
    """
    shape = config.SOLVER.IDENTITIES_PER_BATCH, config.SOLVER.IMAGES_PER_IDENTITY
    if config.LOSS.GROUP.ANCHORS_PER_CLASS == OTHERS and min(shape) < 2:
        raise ValueError(
            "LOSS.GROUP.ANCHORS_PER_CLASS others needs at least 2 identities and 2 images of each in a "
            f"batch, got SOLVER.IDENTITIES_PER_BATCH {shape[0]} and SOLVER.IMAGES_PER_IDENTITY {shape[1]}"
        )


def build_loss(config: CfgNode, name: str, num_classes: int, num_features: int) -> nn.Module:
    """Build a loss with its settings from LOSS; it need not be in LOSS.NAMES.

    Raises:
        ValueError: the name is unknown, or a setting is out of range.
    """
    settings: dict[str, Any] = {}
    if name in LOSSES:
        section = f"LOSS.{name.upper()}"
        if name.upper() not in config.LOSS:
            raise ValueError(
                f"the configuration has no section {section}: call register_loss({name!r}, ...) before the "
                "configuration is read"
            )
        settings = take(loss_keys()[section], config.LOSS[name.upper()], LOSSES[name].make)
    return make_loss(name, num_classes=num_classes, num_features=num_features, **settings)
