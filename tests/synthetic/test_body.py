from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from reid_gl.synthetic.body import (
    SHOULDER_HEIGHT,
    Pose,
    hip_half_width,
    make_skeleton,
    shoulder_half_width,
)
from tests.synthetic.one_person import PERSON, view


@pytest.mark.parametrize("phase", np.linspace(0, 2 * math.pi, 9))
def test_walking_keeps_bones_and_touches_the_ground(phase: float) -> None:
    joints = make_skeleton(PERSON, Pose(0.0, float(phase), 1.0))
    still = make_skeleton(PERSON, Pose(0.0, 0.0, 0.0))
    for start, end in (("hip", "knee"), ("knee", "ankle"), ("shoulder", "elbow"), ("elbow", "wrist")):
        for side in ("left", "right"):
            bone = math.dist(joints[f"{side}_{start}"], joints[f"{side}_{end}"])
            assert bone == pytest.approx(
                math.dist(still[f"{side}_{start}"], still[f"{side}_{end}"]), rel=0.02
            )
    assert min(joints["left_ankle"][1], joints["right_ankle"][1]) == pytest.approx(0.045)


def test_arms_swing_against_the_legs() -> None:
    joints = make_skeleton(PERSON, Pose(0.0, math.pi / 2, 1.0))
    assert joints["left_knee"][2] > 0 > joints["right_knee"][2]
    assert joints["left_elbow"][2] < joints["right_elbow"][2]


def test_a_handbag_keeps_its_arm_still() -> None:
    pose = Pose(0.0, math.pi / 2, 1.0)
    free = make_skeleton(PERSON, pose)
    carrying = make_skeleton(replace(PERSON, bag="handbag", bag_side=-1), pose)
    assert carrying["left_hand"] == free["left_hand"]
    assert abs(carrying["right_elbow"][2]) < abs(free["right_elbow"][2])


def test_the_left_arm_mirrors_the_right_half_a_cycle_later() -> None:
    now, later = (make_skeleton(PERSON, Pose(0.0, phase, 0.8)) for phase in (0.4, 0.4 + math.pi))
    for joint in ("shoulder", "elbow", "wrist", "hand", "hip", "knee", "ankle", "toe", "heel"):
        x, y, z = later[f"right_{joint}"]
        assert now[f"left_{joint}"] == pytest.approx((-x, y, z))


@pytest.mark.parametrize(
    ("yaw", "pitch", "point", "expected"),
    [
        (0.0, 0.0, (0.1, 0.5, 0.2), (60, 60, 0.2)),  # facing the camera: the left hand is on the right
        (math.pi / 2, 0.0, (0.1, 0.5, 0.2), (70, 60, -0.1)),  # walking to the right of the image
        (math.pi, 0.0, (0.1, 0.5, 0.2), (40, 60, -0.2)),  # from behind
        (0.0, math.pi / 2, (0.1, 0.5, 0.2), (60, 130, 0.2)),  # from above: only the ground plane is left
    ],
)
def test_projection_by_hand(
    yaw: float, pitch: float, point: tuple[float, float, float], expected: tuple[float, float, float]
) -> None:
    assert view(yaw, pitch).project(point) == pytest.approx(expected)


def test_half_widths_by_hand() -> None:
    assert view(0.0).half_width(0.3, 0.1) == pytest.approx(30)
    assert view(math.pi / 2).half_width(0.3, 0.1) == pytest.approx(10)
    assert view(math.pi / 4).half_width(0.3, 0.1) == pytest.approx(100 * math.sqrt((0.09 + 0.01) / 2))


def test_proportions_follow_the_person() -> None:
    broad = replace(PERSON, shoulder_to_hip=1.45)
    assert shoulder_half_width(PERSON) == pytest.approx(0.088)
    assert hip_half_width(PERSON) == pytest.approx(0.092)
    assert shoulder_half_width(broad) > shoulder_half_width(PERSON)
    assert hip_half_width(broad) < hip_half_width(PERSON)
    for width in (shoulder_half_width, hip_half_width):
        assert width(replace(PERSON, build=1.2)) > width(PERSON)
    still = make_skeleton(replace(PERSON, leg_share=0.525), Pose(0.0, 0.0, 0.0))
    assert still["pelvis"][1] < still["chest"][1] < still["neck"][1] < still["head"][1]
    assert still["chest"][1] - still["pelvis"][1] == pytest.approx(SHOULDER_HEIGHT - 0.525)
