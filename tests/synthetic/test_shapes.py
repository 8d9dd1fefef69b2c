from __future__ import annotations

import math

import numpy as np
import pytest

from reid_gl.synthetic.garments import TILE_PER_STATURE
from reid_gl.synthetic.shapes import limb, plain_tile, upright
from tests.synthetic.one_person import view

TILE = plain_tile((1, 2, 3))


def test_a_plain_texture_is_one_pixel() -> None:
    assert TILE.tolist() == [[[1, 2, 3]]]


def test_a_limb_by_hand() -> None:
    part = limb(view(), ((0.1, 0.8, 0.0), (0.1, 0.5, 0.0)), (0.03, 0.02), TILE)
    assert (part.start, part.end) == (pytest.approx((60, 30)), pytest.approx((60, 60)))
    widths = {round(share, 6): width for share, width in part.profile}
    assert (widths[0.0], widths[1.0]) == pytest.approx((3, 2))
    assert part.rows == pytest.approx(0.3 * TILE_PER_STATURE)
    assert (part.depth, part.shade, part.yaw) == (0, 1, 0)


@pytest.mark.parametrize(("forward", "shade"), [(0.2, 1.0), (-0.1, 0.84), (-0.9, 1 - 1.6 * 0.16)])
def test_what_is_farther_away_lies_behind_and_in_the_shade_of_the_body(forward: float, shade: float) -> None:
    part = limb(view(), ((0.0, 0.8, forward), (0.0, 0.5, forward)), (0.03, 0.03), TILE)
    assert (part.depth, part.shade) == pytest.approx((forward, shade))
    turned = limb(view(math.pi), ((0.0, 0.8, forward), (0.0, 0.5, forward)), (0.03, 0.03), TILE)
    assert turned.depth == pytest.approx(-forward)


def test_a_cylinder_is_as_wide_as_the_view_shows_it() -> None:
    outline = [(0.0, 0.1, 0.04), (1.0, 0.2, 0.05)]
    front, side = (upright(view(yaw), (0, 0.9, 0), (0, 0.4, 0), outline, TILE) for yaw in (0.0, math.pi / 2))
    np.testing.assert_allclose(front.profile, [(0, 10), (1, 20)])
    np.testing.assert_allclose(side.profile, [(0, 4), (1, 5)])
    assert (front.start, front.end) == (pytest.approx((50, 20)), pytest.approx((50, 70)))
    assert front.rows == pytest.approx(0.5 * TILE_PER_STATURE)
