from __future__ import annotations

import numpy as np
import pytest

from reid_gl.synthetic.palette import (
    BAG_COLOURS,
    CLOTH,
    HAIR,
    LOWER_COLOURS,
    SHOE_COLOURS,
    SKIN,
    UPPER_COLOURS,
    as_float,
)


@pytest.mark.parametrize("names", [UPPER_COLOURS, LOWER_COLOURS, SHOE_COLOURS, BAG_COLOURS])
def test_everything_worn_has_a_colour_of_cloth_once(names: tuple[str, ...]) -> None:
    assert set(names) <= set(CLOTH)
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("colours", [CLOTH, SKIN, HAIR])
def test_colours_can_be_told_apart_after_a_camera(colours: dict[str, tuple[int, int, int]]) -> None:
    values = np.array([as_float(colour) for colour in colours.values()])
    assert values.dtype == np.float32
    assert values.min() >= 0
    assert values.max() <= 255
    distances = np.abs(values[:, None] - values[None]).max(axis=2) + 255 * np.eye(len(values))
    assert distances.min() >= 30


def test_the_order_is_blue_green_red() -> None:
    blue, red = as_float(CLOTH["blue"]), as_float(CLOTH["red"])
    assert (blue.argmax(), red.argmax()) == (0, 2)
    assert all(as_float(skin)[2] > as_float(skin)[0] for skin in SKIN.values())
