from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from reid_gl.synthetic.body import Pose, make_skeleton
from reid_gl.synthetic.figure import arm_parts, figure_parts, hip_parts, leg_parts, torso_parts
from reid_gl.synthetic.palette import SKIN
from reid_gl.synthetic.people import LOWER_CUTS, UPPER_CUTS, Person
from reid_gl.synthetic.raster import Part, outline
from tests.synthetic.one_person import PERSON, view

POSE = Pose(0.0, 0.6, 0.8)
JOINTS = make_skeleton(PERSON, POSE)


def _skin(parts: list[Part]) -> int:
    return sum(part.tile.tolist() == [[list(SKIN[PERSON.skin])]] for part in parts)


def _wearing(*, upper: str = "tshirt", lower: str = "trousers") -> Person:
    return replace(PERSON, upper=replace(PERSON.upper, cut=upper), lower=replace(PERSON.lower, cut=lower))


@pytest.mark.parametrize(
    ("cut", "num_parts", "num_skin"),
    [("sleeveless", 3, 3), ("tshirt", 4, 3), ("long_sleeve", 3, 1), ("coat", 3, 1)],
)
def test_sleeves_cover_the_arm_as_far_as_they_reach(cut: str, num_parts: int, num_skin: int) -> None:
    parts = arm_parts(_wearing(upper=cut), JOINTS, view(), "left")
    assert (len(parts), _skin(parts)) == (num_parts, num_skin)


@pytest.mark.parametrize(
    ("cut", "num_parts", "num_skin"), [("trousers", 3, 0), ("shorts", 4, 2), ("skirt", 3, 2)]
)
def test_legs_are_covered_or_bare(cut: str, num_parts: int, num_skin: int) -> None:
    parts = leg_parts(_wearing(lower=cut), JOINTS, view(), "left")
    assert (len(parts), _skin(parts)) == (num_parts, num_skin)


def test_the_cloth_of_a_limb_goes_on_where_it_bends() -> None:
    _, upper, lower = arm_parts(_wearing(upper="coat"), JOINTS, view(), "left")
    assert lower.first_row == upper.rows
    _, shin, thigh = leg_parts(PERSON, JOINTS, view(), "left")
    assert shin.first_row == thigh.rows


def test_the_far_arm_lies_behind_everything_and_the_near_one_before_the_trunk() -> None:
    side = view(math.pi / 2)  # walking to the right: the left arm is the far one
    far, near = (arm_parts(PERSON, JOINTS, side, name) for name in ("left", "right"))
    legs = leg_parts(PERSON, JOINTS, side, "left") + leg_parts(PERSON, JOINTS, side, "right")
    (torso,) = torso_parts(PERSON, JOINTS, side)
    assert max(part.depth for part in far) < min(part.depth for part in legs)
    assert torso.depth < min(part.depth for part in near)


def test_a_coat_hangs_lower_than_a_shirt_and_a_skirt_wider_than_trousers() -> None:
    (coat,), (shirt,) = (torso_parts(_wearing(upper=cut), JOINTS, view()) for cut in ("coat", "tshirt"))
    assert coat.end[1] - shirt.end[1] == pytest.approx(11)  # 0.13 against 0.02 statures
    (skirt,), (trousers,) = (hip_parts(_wearing(lower=cut), JOINTS, view()) for cut in ("skirt", "trousers"))
    assert skirt.end[1] - trousers.end[1] == pytest.approx(16)
    assert skirt.profile[-1][1] > trousers.profile[-1][1]


@pytest.mark.parametrize("yaw", [0.0, math.pi / 2, math.pi])
@pytest.mark.parametrize("lower", LOWER_CUTS)
@pytest.mark.parametrize("upper", UPPER_CUTS)
def test_a_whole_figure_is_as_tall_as_a_person_and_drawn_from_the_back(
    upper: str, lower: str, yaw: float
) -> None:
    parts = figure_parts(_wearing(upper=upper, lower=lower), POSE, view(yaw))
    depths = [part.depth for part in parts]
    assert depths == sorted(depths)
    corners = np.array([corner for part in parts for corner in outline(part)])
    assert corners[:, 1].min() == pytest.approx(10, abs=3)
    assert corners[:, 1].max() == pytest.approx(110, abs=3)
    assert np.abs(corners[:, 0] - 50).max() < 35
