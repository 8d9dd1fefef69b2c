"""LOSS: which losses, and a section for each of them, made from the registry of losses."""

from __future__ import annotations

from reid_gl.config.keys import Key, arguments
from reid_gl.losses.registry import LOSSES, SIZES

FEATURE, LR_FACTOR = "FEATURE", "LR_FACTOR"
"""Keys of a section that are none of the loss's own settings."""


def loss_keys() -> dict[str, dict[str, Key]]:
    """The keys of LOSS and of its sections, by section; losses registered by now included."""
    sections = {
        "LOSS": {
            "NAMES": Key(["group", "cross_entropy"], "what is minimised: names of losses"),
            "WEIGHTS": Key([1.0, 1.0], "factors of the losses, in the same order"),
        }
    }
    for name, recipe in LOSSES.items():
        keys = arguments(recipe.make, without=SIZES)
        if recipe.feature:
            keys[FEATURE] = Key(recipe.feature, "the embedding that the loss sees: before_neck | after_neck")
        if recipe.learns:
            keys[LR_FACTOR] = Key(
                recipe.lr_factor, "times SOLVER.BASE_LR: the rate of the vectors that the loss learns itself"
            )
        sections[f"LOSS.{name.upper()}"] = keys
    return sections
