"""Every loss by its name."""

from __future__ import annotations

import difflib
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


@dataclass(frozen=True)
class LossRecipe:
    """How one loss is made.

    Attributes:
        make: called with the settings as keywords.
        learns: it has a vector for each identity, so make takes num_classes and num_features first.
    """

    make: Callable[..., nn.Module]
    learns: bool = False


LOSSES = {
    "cross_entropy": LossRecipe(CrossEntropyLoss),
    "group": LossRecipe(GroupLoss),
    "ranked_list": LossRecipe(RankedListLoss),
    "multi_similarity": LossRecipe(MultiSimilarityLoss),
    "triplet": LossRecipe(make_triplet_loss),
    "soft_triplet": LossRecipe(make_soft_triplet_loss),
    "circle": LossRecipe(make_circle_loss),
    "proxy_anchor": LossRecipe(make_proxy_anchor_loss, learns=True),
    "center": LossRecipe(CenterLoss, learns=True),
    "contrastive": LossRecipe(make_contrastive_loss),
    "lifted_structure": LossRecipe(make_lifted_structure_loss),
    "binomial_deviance": LossRecipe(BinomialDevianceLoss),
    "supervised_contrastive": LossRecipe(make_supervised_contrastive_loss),
    "arcface": LossRecipe(make_arcface_loss, learns=True),
    "cosface": LossRecipe(make_cosface_loss, learns=True),
    "circle_classifier": LossRecipe(CircleClassifierLoss, learns=True),
}
"""What make_loss and LOSS.NAMES know."""

SHORT_NAMES = {"ce": "cross_entropy", "ms": "multi_similarity", "rll": "ranked_list"}
"""What commands also take."""


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
