"""Every loss by its name."""

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
    """How one loss is made, and what it sees in a training unless its section of LOSS says otherwise.

    Before the neck features are not negative, so all cosines start near 1: losses on cosines see the feature
    after the neck, where the BNNeck has centred them; losses on Euclidean distances see the one before it,
    as in the strong baseline.

    Attributes:
        make: called with the settings as keywords; all of them have defaults.
        feature: "before_neck" or "after_neck"; "" for a loss that sees the logits only.
        learns: it has a vector for each identity, so make takes num_classes and num_features first.
        lr_factor: what it learns itself learns at this multiple of the base rate.
    """

    make: Callable[..., nn.Module]
    feature: str = "before_neck"
    learns: bool = False
    lr_factor: float = 1.0


SIZES = ("num_classes", "num_features")
"""What make takes first if the loss learns."""

LOSSES = {
    "cross_entropy": LossRecipe(CrossEntropyLoss, feature=""),
    "group": LossRecipe(GroupLoss),
    "ranked_list": LossRecipe(RankedListLoss, "after_neck"),
    "multi_similarity": LossRecipe(MultiSimilarityLoss, "after_neck"),
    "triplet": LossRecipe(make_triplet_loss),
    "soft_triplet": LossRecipe(make_soft_triplet_loss),
    "circle": LossRecipe(make_circle_loss, "after_neck"),
    # 100: as the authors of Proxy Anchor
    "proxy_anchor": LossRecipe(make_proxy_anchor_loss, "after_neck", learns=True, lr_factor=100.0),
    # a centre must keep up with features of about unit size though its identity is in few batches only
    "center": LossRecipe(CenterLoss, learns=True, lr_factor=100.0),
    "contrastive": LossRecipe(make_contrastive_loss, "after_neck"),
    "lifted_structure": LossRecipe(make_lifted_structure_loss, "after_neck"),
    "binomial_deviance": LossRecipe(BinomialDevianceLoss, "after_neck"),
    "supervised_contrastive": LossRecipe(make_supervised_contrastive_loss, "after_neck"),
    # classifiers like the network's own, whose rate is the base rate
    "arcface": LossRecipe(make_arcface_loss, "after_neck", learns=True),
    "cosface": LossRecipe(make_cosface_loss, "after_neck", learns=True),
    "circle_classifier": LossRecipe(CircleClassifierLoss, "after_neck", learns=True),
}
"""What make_loss and LOSS.NAMES know; register_loss adds to it."""

SHORT_NAMES = {"ce": "cross_entropy", "ms": "multi_similarity", "rll": "ranked_list"}
"""What commands also take."""


def register_loss(
    name: str,
    make: Callable[..., nn.Module],
    *,
    feature: str = "before_neck",
    learns: bool = False,
    lr_factor: float = 1.0,
) -> None:
    """Add a loss of your own to what LOSS.NAMES and make_loss know; call it before a configuration is read.

    A configuration then has a section LOSS.<NAME> with a key for each setting.

    Args:
        name: lower-case letters, digits and underscores.
        make: class or function that gives a module called (embeddings, labels, *, logits, anchors,
            generator); its settings are keywords with defaults.
        feature: which embedding it sees, "before_neck" or "after_neck".
        learns: make also takes num_classes and num_features, and the module has parameters of its own.
        lr_factor: these learn at this multiple of the base rate.

    Raises:
        ValueError: the name is taken or no such word, the feature is unknown, or a setting has no default
            that a configuration can hold.
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
    """A loss by its name.

    Args:
        name: one of LOSSES.
        num_classes: C, training identities; used by losses that learn a vector for each.
        num_features: D, likewise.
        settings: of the loss, as its class or function documents them.

    Raises:
        ValueError: unknown name, or a setting out of range.
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
