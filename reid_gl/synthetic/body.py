"""The moving body: 3D joints of a walking person and their projection by a camera."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

from reid_gl.synthetic.people import Person

Point: TypeAlias = tuple[float, float, float]
"""(towards the person's left, up, forward) in statures; the ground is at 0."""

ANKLE_HEIGHT = 0.045
SHOULDER_HEIGHT = 0.815
UPPER_ARM = 0.165
FOREARM = 0.145


@dataclass(frozen=True)
class Pose:
    """What changes from image to image.

    Attributes:
        yaw: radians; 0 faces the camera, pi/2 walks to the right of the image, pi shows the back.
        phase: phase of the walking cycle, radians.
        stride: 0 stands still, 1 walks fast.
    """

    yaw: float
    phase: float
    stride: float


@dataclass(frozen=True)
class View:
    """Position of the projected person in the image.

    Attributes:
        yaw: yaw of the person, radians.
        pitch: downward tilt of the camera, radians.
        scale: pixels per stature.
        foot_x: column of the middle of the body, pixels.
        foot_y: row of the ground under the body, pixels.
    """

    yaw: float
    pitch: float
    scale: float
    foot_x: float
    foot_y: float

    def project(self, point: Point) -> tuple[float, float, float]:
        """Column and row in pixels, and nearness to the camera in statures (larger is nearer)."""
        left, up, forward = point
        sine, cosine = math.sin(self.yaw), math.cos(self.yaw)
        across = left * cosine + forward * sine
        nearness = forward * cosine - left * sine
        down = nearness * math.sin(self.pitch) - up * math.cos(self.pitch)
        return self.foot_x + self.scale * across, self.foot_y + self.scale * down, nearness

    def half_width(self, lateral: float, sagittal: float) -> float:
        """Projected half width, in pixels, of an upright elliptic cylinder with half axes in statures."""
        return self.scale * math.hypot(lateral * math.cos(self.yaw), sagittal * math.sin(self.yaw))


def shoulder_half_width(person: Person) -> float:
    """Distance from the middle of the body to the centre of the shoulder joint, in statures."""
    return 0.088 * (0.55 + 0.45 * person.build) * math.sqrt(person.shoulder_to_hip / 1.32)


def hip_half_width(person: Person) -> float:
    """Distance from the middle of the body to the outside of the hip, in statures."""
    return 0.092 * (0.4 + 0.6 * person.build) * math.sqrt(1.32 / person.shoulder_to_hip)


def _leg(person: Person, pose: Pose, side: int) -> dict[str, Point]:
    """Joints of one leg; side is 1 for the left, -1 for the right."""
    cycle = pose.phase + (0.0 if side > 0 else math.pi)
    thigh = 0.46 * pose.stride * math.sin(cycle) + 0.04
    shin = thigh - 0.06 - 0.85 * pose.stride * max(0.0, math.cos(cycle)) ** 1.5
    length = (person.leg_share - ANKLE_HEIGHT) / 2
    x = side * hip_half_width(person) * 0.5
    hip = (x, person.leg_share, 0.0)
    knee = (x * 0.95, hip[1] - length * math.cos(thigh), length * math.sin(thigh))
    ankle = (x * 0.85, knee[1] - length * math.cos(shin), knee[2] + length * math.sin(shin))
    tilt = 0.75 * (shin - 0.02) if shin < 0 else 0.3 * shin
    toe_y, toe_z = math.sin(tilt) * 0.11 - 0.022, math.cos(tilt) * 0.11
    toe = (x * 1.25, ankle[1] + toe_y, ankle[2] + toe_z)
    heel = (x * 0.85, ankle[1] - 0.022, ankle[2] - 0.018)
    return {"hip": hip, "knee": knee, "ankle": ankle, "toe": toe, "heel": heel}


def _arm(person: Person, pose: Pose, side: int) -> dict[str, Point]:
    """Joints of one arm, which swings opposite to the leg on the same side."""
    swing = -0.42 * pose.stride * math.sin(pose.phase + (0.0 if side > 0 else math.pi)) + 0.02
    if person.bag == "handbag" and side == person.bag_side:
        swing *= 0.3
    bend = swing + 0.14 + 0.3 * pose.stride + 0.25 * max(0.0, swing)
    x = side * shoulder_half_width(person)
    shoulder = (x, SHOULDER_HEIGHT - 0.02, 0.0)
    spread = side * (0.018 + 0.018 * person.build)
    elbow = (x + spread, shoulder[1] - UPPER_ARM * math.cos(swing), UPPER_ARM * math.sin(swing))
    wrist = (x + spread * 0.9, elbow[1] - FOREARM * math.cos(bend), elbow[2] + FOREARM * math.sin(bend))
    hand = (wrist[0], wrist[1] - 0.04 * math.cos(bend), wrist[2] + 0.04 * math.sin(bend))
    return {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "hand": hand}


def make_skeleton(person: Person, pose: Pose) -> dict[str, Point]:
    """Compute the joints of a walking person, with the lower foot on the ground.

    Args:
        person: proportions, and the hand that holds a bag.
        pose: phase and stride; the yaw is not used.

    Returns:
        "pelvis", "chest", "neck", "head", and per side "left_hip" and so on, in statures.
    """
    joints: dict[str, Point] = {
        "pelvis": (0.0, person.leg_share, 0.0),
        "chest": (0.0, SHOULDER_HEIGHT, 0.0),
        "neck": (0.0, 0.86, 0.008),
        "head": (0.0, 0.925, 0.018),
    }
    for name, side in (("left", 1), ("right", -1)):
        limbs = _leg(person, pose, side) | _arm(person, pose, side)
        joints |= {f"{name}_{joint}": point for joint, point in limbs.items()}
    lowest = min(joints["left_ankle"][1], joints["right_ankle"][1]) - ANKLE_HEIGHT
    return {name: (x, y - lowest, z) for name, (x, y, z) in joints.items()}
