"""Reads the LOSS section."""

from __future__ import annotations

from yacs.config import CfgNode

from reid_gl.config.experiment import LossSection, LossSettings
from reid_gl.config.keys import take
from reid_gl.config.loss_keys import FEATURE, LR_FACTOR, loss_keys
from reid_gl.losses import LOSSES
from reid_gl.records import FEATURES


def build_loss_settings(config: CfgNode) -> LossSettings:
    """Read the losses in LOSS.NAMES with their weights, and the section of every registered loss.

    Raises:
        ValueError: a name is repeated, or the number of weights differs.
    """
    names, weights = config.LOSS.NAMES, config.LOSS.WEIGHTS
    if len(names) != len(weights) or len(set(names)) != len(names):
        raise ValueError(f"LOSS.NAMES {names} needs one weight each in LOSS.WEIGHTS {weights}, no name twice")
    keys, sections = loss_keys(), {}
    for name, recipe in LOSSES.items():
        if name.upper() in config.LOSS:  # not if the loss was registered after the configuration was loaded
            section = config.LOSS[name.upper()]
            settings = take(keys[f"LOSS.{name.upper()}"], section, recipe.make)
            sections[name] = LossSection(
                settings, section.get(FEATURE, FEATURES[0]), section.get(LR_FACTOR, 1.0)
            )
    return LossSettings(dict(zip(names, weights, strict=True)), sections)
