"""The keys of the LOSS section, and a section for each loss, generated from the registry of losses."""

from __future__ import annotations

from reid_gl.config.keys import Key, arguments
from reid_gl.losses.registry import LOSSES, SIZES

FEATURE, LR_FACTOR = "FEATURE", "LR_FACTOR"
"""Keys of a loss's section that are not arguments of the loss itself."""


def loss_keys() -> dict[str, dict[str, Key]]:
    """Return the keys of LOSS and its sections, by section; includes all losses registered so far."""
    sections = {
        "LOSS": {
            "NAMES": Key(["group", "cross_entropy"], "names of the losses to minimise"),
            "WEIGHTS": Key([1.0, 1.0], "weights of the losses, in the order of NAMES"),
        }
    }
    for name, recipe in LOSSES.items():
        keys = arguments(recipe.make, without=SIZES)
        if recipe.feature:
            keys[FEATURE] = Key(recipe.feature, "embedding that the loss gets: before_neck | after_neck")
        if recipe.learns:
            keys[LR_FACTOR] = Key(
                recipe.lr_factor,
                "learning rate of the loss's own learned vectors, as a multiple of SOLVER.BASE_LR",
            )
        sections[f"LOSS.{name.upper()}"] = keys
    return sections
