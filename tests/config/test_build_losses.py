from __future__ import annotations

import pytest

from reid_gl.config import load_config, load_experiment
from reid_gl.config.build_losses import build_loss_settings
from reid_gl.losses import LOSSES


def test_weights_by_name_in_order_and_a_section_for_every_loss() -> None:
    words = ["LOSS.NAMES", "[triplet, cross_entropy]", "LOSS.WEIGHTS", "[0.5, 2]"]
    words += ["LOSS.GROUP.NUM_STEPS", "5", "LOSS.CENTER.LR_FACTOR", "3"]
    losses = build_loss_settings(load_config(None, words))
    assert list(losses.weights.items()) == [("triplet", 0.5), ("cross_entropy", 2.0)]
    assert set(losses.sections) == set(LOSSES)
    assert losses.sections["group"].settings["num_steps"] == 5
    assert losses.sections["center"].lr_factor == 3
    assert losses == load_experiment(None, words).losses


@pytest.mark.parametrize(("names", "weights"), [("[group]", "[1, 1]"), ("[group, group]", "[1, 1]")])
def test_one_weight_for_each_name(names: str, weights: str) -> None:
    with pytest.raises(
        ValueError, match=r"LOSS.NAMES .* needs one weight each in LOSS.WEIGHTS .*, no name twice"
    ):
        build_loss_settings(load_config(None, ["LOSS.NAMES", names, "LOSS.WEIGHTS", weights]))
