from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from reid_gl.synthetic.accessories import HEAD_COLUMNS, HEAD_ROWS, bag_parts, hat_parts, head_parts, head_tile
from reid_gl.synthetic.body import Pose, make_skeleton
from reid_gl.synthetic.palette import CLOTH, HAIR, SKIN
from reid_gl.synthetic.people import BAGS, HAIR_LENGTHS
from reid_gl.synthetic.raster import outline
from tests.synthetic.one_person import PERSON, view

JOINTS = make_skeleton(PERSON, Pose(0.0, 0.0, 0.0))
FRONT, BACK = 0.0, math.pi


def _hair_share(length: str, columns: slice) -> float:
    tile = head_tile("pale", "black", length)
    return float((tile[:, columns] == HAIR["black"]).all(axis=2).mean())


def test_the_face_is_in_front_and_hair_behind() -> None:
    tile = head_tile("pale", "black", "short")
    assert tile.shape == (HEAD_ROWS, HEAD_COLUMNS, 3)
    middle = HEAD_COLUMNS // 2
    assert tile[40, middle - 8].tolist() == list(SKIN["pale"])
    assert tile[5, middle].tolist() == list(HAIR["black"])
    assert tile[40, 0].tolist() == list(HAIR["black"])


def test_longer_hair_covers_more_of_the_sides() -> None:
    side = slice(HEAD_COLUMNS // 2 + 17, HEAD_COLUMNS // 2 + 30)
    shares = [_hair_share(length, side) for length in HAIR_LENGTHS]
    assert shares == sorted(shares)
    assert shares[0] < 0.6 < shares[1]


def test_long_hair_and_a_hood_lie_behind_a_face_and_before_a_back() -> None:
    plain = head_parts(PERSON, JOINTS, view(FRONT))
    assert len(plain) == 2  # neck and head
    for person in (
        replace(PERSON, hair_length="long"),
        replace(PERSON, upper=replace(PERSON.upper, cut="hoodie")),
    ):
        *_, front = head_parts(person, JOINTS, view(FRONT))
        *_, back = head_parts(person, JOINTS, view(BACK))
        neck = plain[0]
        assert front.depth < neck.depth < back.depth


@pytest.mark.parametrize(("hat", "num_parts"), [("none", 0), ("beanie", 1), ("cap", 2), ("sun_hat", 2)])
def test_hats_sit_on_the_head_in_the_colour_of_the_bag(hat: str, num_parts: int) -> None:
    person = replace(PERSON, hat=hat)
    parts = hat_parts(person, JOINTS, view(FRONT))
    assert len(parts) == num_parts
    head = head_parts(PERSON, JOINTS, view(FRONT))[1]
    for part in parts:
        assert part.tile.tolist() == [[list(CLOTH[person.bag_colour])]]
        assert part.depth > head.depth
        assert part.start[1] <= head.start[1] + 6


def test_a_brim_points_where_the_face_does() -> None:
    cap = replace(PERSON, hat="cap")
    right, left = (hat_parts(cap, JOINTS, view(yaw))[1] for yaw in (math.pi / 2, -math.pi / 2))
    assert right.end[0] > right.start[0] > 50 > left.start[0] > left.end[0]


@pytest.mark.parametrize("bag", BAGS)
def test_bags_are_parts_and_nobody_carries_none(bag: str) -> None:
    parts = bag_parts(replace(PERSON, bag=bag), JOINTS, view(FRONT))
    assert bool(parts) is (bag != "none")


def test_a_backpack_hides_the_back_and_shows_straps_in_front() -> None:
    person = replace(PERSON, bag="backpack")
    front, back = (bag_parts(person, JOINTS, view(yaw)) for yaw in (FRONT, BACK))
    assert len(front) == 3
    assert len(back) == 1
    assert front[0].depth < 0 < back[0].depth


@pytest.mark.parametrize("bag", ["shoulder_bag", "handbag"])
def test_a_bag_is_carried_on_its_side_and_is_behind_the_body_from_the_other(bag: str) -> None:
    left, right = (replace(PERSON, bag=bag, bag_side=side) for side in (1, -1))
    columns = [
        np.mean(outline(bag_parts(person, JOINTS, view(FRONT))[0]), axis=0)[0] for person in (left, right)
    ]
    assert columns[0] > 50 > columns[1]
    assert columns[0] + columns[1] == pytest.approx(100)
    near, far = (bag_parts(left, JOINTS, view(yaw))[0] for yaw in (-math.pi / 2, math.pi / 2))
    assert near.depth > 0 > far.depth
