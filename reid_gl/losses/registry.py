"""Registry of losses by name."""

from __future__ import annotations

import difflib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from reid_gl.losses.binomial_deviance import BinomialDevianceLoss
from reid_gl.losses.center import CenterLoss
from reid_gl.losses.circle_classifier import CircleClassifierLoss
from reid_gl.losses.cross_entropy import CrossEntropyLoss
from reid_gl.losses.group import GroupLoss
from reid_gl.losses.metric_learning import (
    make_arcface_loss,
    make_circle_loss,
    make_contrastive_loss,
    make_cosface_loss,
    make_lifted_structure_loss,
    make_proxy_anchor_loss,
    make_soft_triplet_loss,
    make_supervised_contrastive_loss,
    make_triplet_loss,
)
from reid_gl.losses.multi_similarity import MultiSimilarityLoss
from reid_gl.losses.ranked_list import RankedListLoss
from reid_gl.records import FEATURES


@dataclass(frozen=True)
class LossRecipe:
    """How to make a loss, and which feature it gets in training unless its section of LOSS changes it.

    Features before the neck are non-negative, so all cosines start near 1. Losses on cosines therefore get
    the feature after the neck, which the BNNeck has centred. Losses on Euclidean distances get the feature
    before the neck, as in the strong baseline.

    Attributes:
        make: called with the settings as keywords; all of them have defaults.
        feature: "before_neck" or "after_neck"; "" for a loss that uses the logits only.
        learns: whether it has a vector for each identity; make then takes num_classes and num_features first.
        lr_factor: learning rate of its own parameters, as a multiple of the base rate.
    """

    make: Callable[..., nn.Module]
    feature: str = "before_neck"
    learns: bool = False
    lr_factor: float = 1.0


SIZES = ("num_classes", "num_features")
"""First arguments of make for a loss with learned vectors."""

LOSSES = {
    "cross_entropy": LossRecipe(CrossEntropyLoss, feature=""),
    "group": LossRecipe(GroupLoss),
    "ranked_list": LossRecipe(RankedListLoss, "after_neck"),
    "multi_similarity": LossRecipe(MultiSimilarityLoss, "after_neck"),
    "triplet": LossRecipe(make_triplet_loss),
    "soft_triplet": LossRecipe(make_soft_triplet_loss),
    "circle": LossRecipe(make_circle_loss, "after_neck"),
    # 100 as in the Proxy Anchor authors' code
    "proxy_anchor": LossRecipe(make_proxy_anchor_loss, "after_neck", learns=True, lr_factor=100.0),
    # high, because a centre must follow features of about unit size although its identity is in few batches
    "center": LossRecipe(CenterLoss, learns=True, lr_factor=100.0),
    "contrastive": LossRecipe(make_contrastive_loss, "after_neck"),
    "lifted_structure": LossRecipe(make_lifted_structure_loss, "after_neck"),
    "binomial_deviance": LossRecipe(BinomialDevianceLoss, "after_neck"),
    "supervised_contrastive": LossRecipe(make_supervised_contrastive_loss, "after_neck"),
    # classifiers like that of the network, which learns at the base rate
    "arcface": LossRecipe(make_arcface_loss, "after_neck", learns=True),
    "cosface": LossRecipe(make_cosface_loss, "after_neck", learns=True),
    "circle_classifier": LossRecipe(CircleClassifierLoss, "after_neck", learns=True),
}
"""Losses that make_loss and LOSS.NAMES accept; register_loss adds to them."""

SHORT_NAMES = {"ce": "cross_entropy", "ms": "multi_similarity", "rll": "ranked_list"}
"""Short names that commands also accept."""


def register_loss(
    name: str,
    make: Callable[..., nn.Module],
    *,
    feature: str = "before_neck",
    learns: bool = False,
    lr_factor: float = 1.0,
) -> None:
    """Register a custom loss for LOSS.NAMES and make_loss; call this before reading a configuration.

    A configuration then has a section LOSS.<NAME> with a key for each setting.

    Args:
        name: lower-case letters, digits and underscores.
        make: class or function that returns a module called (embeddings, labels, *, logits, anchors,
            generator); its settings are keywords with defaults.
        feature: which embedding it gets, "before_neck" or "after_neck".
        learns: whether make also takes num_classes and num_features, and the module has parameters.
        lr_factor: learning rate of these parameters, as a multiple of the base rate.

    Raises:
        ValueError: the name is invalid or taken, the feature is unknown, or a setting has no default that a
            configuration can hold.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or name in {"names", "weights"}:
        raise ValueError(f"a loss is called by a lower-case word like 'my_loss', got {name!r}")
    if name in LOSSES or name in SHORT_NAMES:
        raise ValueError(f"there is a loss {name!r} already: choose another name")
    if feature not in FEATURES:
        raise ValueError(f"unknown feature {feature!r}: expected one of {', '.join(FEATURES)}")
    for setting in inspect.signature(make).parameters.values():
        is_size = learns and setting.name in SIZES
        if not is_size and not isinstance(setting.default, (bool, int, float, str, type(None))):
            raise ValueError(
                f"the setting {setting.name!r} of loss {name!r} needs a default that a configuration can "
                "hold: a number, text, true or false, or None for a number that is off"
            )
    LOSSES[name] = LossRecipe(make, feature, learns, lr_factor)


def make_loss(name: str, *, num_classes: int, num_features: int, **settings: object) -> nn.Module:
    """Make a loss by name.

    Args:
        name: one of LOSSES.
        num_classes: C, number of training identities; used only by losses that learn a vector for each.
        num_features: D, the embedding dimension; used only by the same losses.
        settings: settings of the loss, as documented by its class or function.

    Raises:
        ValueError: the name is unknown, or a setting is out of range.
        TypeError: the loss has no such setting.
    """
    if name not in LOSSES:
        nearest = difflib.get_close_matches(name, LOSSES, n=1, cutoff=0.0)[0]
        raise ValueError(
            f"unknown loss {name!r}; the nearest one is {nearest!r}. Expected one of {', '.join(LOSSES)}"
        )
    recipe = LOSSES[name]
    sizes = (num_classes, num_features) if recipe.learns else ()
    return recipe.make(*sizes, **settings)
