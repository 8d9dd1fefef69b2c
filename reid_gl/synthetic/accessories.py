"""Body parts of head and luggage: face, hair, hats and bags."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache

import cv2
import numpy as np

from reid_gl.synthetic.body import Point, View, shoulder_half_width
from reid_gl.synthetic.palette import CLOTH, HAIR, SKIN, FloatImage, as_float
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.raster import Part
from reid_gl.synthetic.shapes import limb, plain_tile, upright

HEAD_ROWS = 64
HEAD_COLUMNS = 96
HEAD_PER_RADIAN = HEAD_COLUMNS / (2 * math.pi)
OVAL = (
    (0.0, 0.3),
    (0.06, 0.58),
    (0.18, 0.85),
    (0.4, 1.0),
    (0.62, 0.95),
    (0.82, 0.72),
    (0.95, 0.42),
    (1.0, 0.25),
)
HAT_OVAL = ((0.0, 0.3), (0.12, 0.66), (0.4, 0.95), (0.75, 1.04), (1.0, 1.02))


@lru_cache(maxsize=256)
def head_tile(skin: str, hair: str, hair_length: str) -> FloatImage:
    """Texture (HEAD_ROWS, HEAD_COLUMNS, 3) of face and hair; the nose is in the middle column."""
    tile = np.tile(as_float(SKIN[skin]), (HEAD_ROWS, HEAD_COLUMNS, 1))
    dark = tuple(0.45 * float(value) for value in SKIN[skin])
    middle = HEAD_COLUMNS // 2
    for side in (-1, 1):
        cv2.ellipse(tile, (middle + side * 6, 31), (3, 2), 0, 0, 360, dark, -1)
        cv2.line(tile, (middle + side * 3, 26), (middle + side * 9, 26), dark, 2)
    cv2.line(tile, (middle - 4, 49), (middle + 4, 49), dark, 2)
    tile[34:42, middle + 1 : middle + 3] *= 0.85
    angle = np.abs(np.arange(HEAD_COLUMNS) - middle) / HEAD_PER_RADIAN
    side_row, back_row, face = {"short": (30, 50, 1.05), "bob": (60, 64, 0.85), "long": (64, 64, 0.8)}[
        hair_length
    ]
    hairline = np.interp(angle, [0, face, face + 0.15, 1.9, 2.2], [15, 18, side_row, side_row, back_row])
    is_hair = np.arange(HEAD_ROWS)[:, None] < hairline
    tile[is_hair] = as_float(HAIR[hair])
    return tile


def _oval(
    shape: tuple[tuple[float, float], ...], lateral: float, sagittal: float
) -> list[tuple[float, float, float]]:
    """Scale an outline to the given half axes, in statures."""
    return [(share, width * lateral, width * sagittal) for share, width in shape]


def head_parts(person: Person, joints: dict[str, Point], view: View) -> list[Part]:
    """Neck, head, hair and hat."""
    x, y, z = joints["head"]
    top, chin = (x, y + 0.072, z), (x, y - 0.066, z)
    tile = head_tile(person.skin, person.hair, person.hair_length)
    head = upright(view, top, chin, _oval(OVAL, 0.05, 0.06), tile)
    skin = plain_tile(SKIN[person.skin])
    parts = [
        replace(
            limb(view, (joints["neck"], (0.0, 0.83, 0.0)), (0.029, 0.033), skin), depth=0.001, shade=0.85
        ),
        replace(head, rows=HEAD_ROWS - 1.0, per_radian=HEAD_PER_RADIAN, depth=0.012),
    ]
    parts += _long_hair(person, joints, view) + hat_parts(person, joints, view)
    if person.upper.cut == "hoodie":
        parts.append(_hood(person, joints, view))
    return parts


def _long_hair(person: Person, joints: dict[str, Point], view: View) -> list[Part]:
    """Hair that falls behind the neck down to the shoulder blades."""
    if person.hair_length == "short":
        return []
    x, y, z = joints["head"]
    fall = 0.185 if person.hair_length == "long" else 0.09
    top, tip = (x, y + 0.03, z - 0.03), (x, y - fall, z - 0.055)
    outline = [(0.0, 0.035, 0.025), (0.3, 0.057, 0.032), (0.8, 0.055, 0.028), (1.0, 0.042, 0.015)]
    part = upright(view, top, tip, outline, plain_tile(HAIR[person.hair]))
    return [replace(part, depth=-0.06 * math.cos(view.yaw) + 0.004, shade=0.92)]


def _hood(person: Person, joints: dict[str, Point], view: View) -> Part:
    """The hood of a hoodie, which rests on the shoulders."""
    blue, green, red = np.clip(as_float(CLOTH[person.upper.colour]) * person.upper.dye, 0, 255).round()
    cloth = plain_tile((int(blue), int(green), int(red)))
    ends = ((-0.05, joints["neck"][1] - 0.022, -0.035), (0.05, joints["neck"][1] - 0.022, -0.035))
    part = limb(view, ends, (0.036, 0.036), cloth)
    return replace(part, depth=-0.05 * math.cos(view.yaw) + 0.002, shade=0.8)


def hat_parts(person: Person, joints: dict[str, Point], view: View) -> list[Part]:
    """Crown and brim of the hat; empty without a hat."""
    if person.hat == "none":
        return []
    x, y, z = joints["head"]
    tile = plain_tile(CLOTH[person.bag_colour])
    height = 0.098 if person.hat == "beanie" else 0.084
    crown = upright(view, (x, y + height, z), (x, y + 0.014, z), _oval(HAT_OVAL, 0.053, 0.064), tile)
    parts = [replace(crown, depth=0.02)]
    if person.hat == "cap":
        brim = limb(view, ((x, y + 0.026, z + 0.05), (x, y + 0.018, z + 0.105)), (0.03, 0.026), tile)
        parts.append(replace(brim, depth=0.021 if math.cos(view.yaw) > -0.1 else 0.011, shade=0.8))
    if person.hat == "sun_hat":
        ends = ((x, y + 0.03, z), (x, y + 0.008, z))
        brim_outline = [(0.0, 0.05, 0.05), (0.3, 0.1, 0.11), (0.7, 0.1, 0.11), (1.0, 0.05, 0.06)]
        parts.append(replace(upright(view, *ends, brim_outline, tile), depth=0.022, shade=0.9))
    return parts


@lru_cache(maxsize=16)
def _pack_tile(colour: str) -> FloatImage:
    """Texture of a bag with a darker pocket and a light zip."""
    tile = np.tile(as_float(CLOTH[colour]), (64, 64, 1))
    cv2.rectangle(tile, (14, 34), (50, 58), tuple(0.72 * float(v) for v in CLOTH[colour]), -1)
    cv2.line(tile, (14, 34), (50, 34), (170.0, 170.0, 170.0), 2)
    return tile


def bag_parts(person: Person, joints: dict[str, Point], view: View) -> list[Part]:
    """The bag with its straps; empty without a bag."""
    if person.bag == "backpack":
        return _backpack(person, view)
    if person.bag == "shoulder_bag":
        return _shoulder_bag(person, joints, view)
    if person.bag == "handbag":
        return _handbag(person, joints, view)
    return []


def _backpack(person: Person, view: View) -> list[Part]:
    """A backpack; from the front only its straps are visible."""
    behind = -0.105
    top, bottom = (0.0, 0.815, behind), (0.0, 0.57, behind)
    outline = [
        (0.0, 0.05, 0.03),
        (0.08, 0.074, 0.048),
        (0.5, 0.084, 0.056),
        (0.92, 0.082, 0.056),
        (1.0, 0.07, 0.045),
    ]
    pack = upright(view, top, bottom, outline, _pack_tile(person.bag_colour))
    nearness = behind * math.cos(view.yaw)
    pack = replace(pack, rows=60.0, per_radian=16.0, yaw=view.yaw - math.pi, depth=nearness * 1.2)
    parts = [pack]
    strap = plain_tile(CLOTH[person.bag_colour])
    for side in (-1, 1):
        x = side * shoulder_half_width(person) * 0.68
        ends = ((x * 0.9, 0.832, 0.02), (x, 0.65, 0.066 * (0.3 + 0.7 * person.build)))
        part = limb(view, ends, (0.012, 0.012), strap)
        if part.depth > 0.0:
            parts.append(replace(part, depth=0.009, shade=0.9))
    return parts


def _shoulder_bag(person: Person, joints: dict[str, Point], view: View) -> list[Part]:
    """A bag at one hip, with a strap over the opposite shoulder."""
    side = person.bag_side
    hip = joints["pelvis"][1]
    x = side * (shoulder_half_width(person) + 0.045)
    outline = [(0.0, 0.03, 0.07), (0.1, 0.036, 0.082), (0.9, 0.036, 0.086), (1.0, 0.03, 0.07)]
    bag = upright(view, (x, hip + 0.075, 0.0), (x, hip - 0.055, 0.0), outline, _pack_tile(person.bag_colour))
    nearness = -x * math.sin(view.yaw)
    bag = replace(
        bag,
        rows=60.0,
        per_radian=16.0,
        yaw=view.yaw + math.pi / 2 * side,
        depth=0.12 if nearness > -0.03 else -0.65,
    )
    front = 0.075 if math.cos(view.yaw) > 0 else -0.075
    ends = ((-side * 0.06, 0.83, front * 0.5), (x * 0.75, hip + 0.07, front))
    strap = replace(
        limb(view, ends, (0.011, 0.011), plain_tile(CLOTH[person.bag_colour])), depth=0.01, shade=0.85
    )
    return [bag, strap]


def _handbag(person: Person, joints: dict[str, Point], view: View) -> list[Part]:
    """A bag held in one hand."""
    x, y, z = joints["left_hand" if person.bag_side > 0 else "right_hand"]
    outline = [(0.0, 0.022, 0.05), (0.08, 0.03, 0.07), (0.92, 0.036, 0.088), (1.0, 0.03, 0.08)]
    bag = upright(view, (x, y - 0.045, z), (x, y - 0.165, z), outline, _pack_tile(person.bag_colour))
    depth = 0.1 if -x * math.sin(view.yaw) > -0.035 else -0.62
    handle = limb(view, ((x, y, z), (x, y - 0.05, z)), (0.008, 0.022), plain_tile(CLOTH[person.bag_colour]))
    return [
        replace(bag, rows=60.0, per_radian=16.0, yaw=view.yaw + math.pi / 2 * person.bag_side, depth=depth),
        replace(handle, depth=depth - 0.001),
    ]
