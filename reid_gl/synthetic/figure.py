"""Build the drawable parts of a figure from its skeleton: skin, clothes and shoes."""

from __future__ import annotations

from dataclasses import replace

from reid_gl.synthetic.accessories import bag_parts, head_parts
from reid_gl.synthetic.body import (
    Point,
    Pose,
    View,
    hip_half_width,
    make_skeleton,
    shoulder_half_width,
)
from reid_gl.synthetic.garments import cloth_tile
from reid_gl.synthetic.palette import CLOTH, SKIN
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.raster import Part
from reid_gl.synthetic.shapes import limb, plain_tile, upright

FAR_LIMB = -0.035
"""Limbs with less nearness to the camera than this are drawn behind the legs."""
SLEEVE_END = {"sleeveless": 0.0, "tshirt": 0.72}
HEM_BELOW_HIP = {"coat": 0.13, "jacket": 0.035, "hoodie": 0.03, "tshirt": 0.02, "long_sleeve": 0.015}


def _between(start: Point, end: Point, share: float) -> Point:
    """The point at a given share of the way from start to end."""
    x, y, z = (a + share * (b - a) for a, b in zip(start, end, strict=True))
    return x, y, z


def arm_parts(person: Person, joints: dict[str, Point], view: View, side: str) -> list[Part]:
    """One arm: skin, sleeve and hand."""
    shoulder, elbow, wrist, hand = (joints[f"{side}_{j}"] for j in ("shoulder", "elbow", "wrist", "hand"))
    build = 0.35 + 0.65 * person.build
    skin, cloth = plain_tile(SKIN[person.skin]), cloth_tile(person.upper, "limb")
    parts = [
        limb(view, (wrist, hand), (0.017, 0.017), skin),
        limb(view, (shoulder, elbow), (0.031 * build, 0.025 * build), skin),
        limb(view, (elbow, wrist), (0.025 * build, 0.018 * build), skin),
    ]
    end = SLEEVE_END.get(person.upper.cut, 2.0)
    if end == 2.0:
        thick = 0.007 if person.upper.cut in ("coat", "jacket", "hoodie") else 0.003
        upper = limb(view, (shoulder, elbow), (0.033 * build + thick, 0.028 * build + thick), cloth)
        lower = limb(view, (elbow, wrist), (0.028 * build + thick, 0.022 * build + thick), cloth)
        parts[1:] = [upper, replace(lower, first_row=upper.rows)]
    elif end > 0:
        sleeve = (shoulder, _between(shoulder, elbow, end))
        parts.append(limb(view, sleeve, (0.038 * build, 0.037 * build), cloth))
    depth = sum(part.depth for part in parts) / len(parts)
    depth += -0.7 if depth < FAR_LIMB else 0.02
    return [replace(part, depth=depth + 1e-3 * order) for order, part in enumerate(parts)]


def leg_parts(person: Person, joints: dict[str, Point], view: View, side: str) -> list[Part]:
    """One leg: skin or trousers, and the shoe."""
    hip, knee, ankle = (joints[f"{side}_{j}"] for j in ("hip", "knee", "ankle"))
    build = 0.45 + 0.55 * person.build
    skin = plain_tile(SKIN[person.skin])
    cloth = cloth_tile(person.lower, "limb")
    bare = person.lower.cut != "trousers"
    shoe = limb(
        view, (joints[f"{side}_heel"], joints[f"{side}_toe"]), (0.022, 0.019), plain_tile(CLOTH[person.shoes])
    )
    if bare:
        parts = [
            limb(view, (knee, ankle), (0.035 * build, 0.02 * build), skin),
            limb(view, (hip, knee), (0.052 * build, 0.036 * build), skin),
        ]
        if person.lower.cut == "shorts":
            shorts = (hip, _between(hip, knee, 0.82))
            parts.append(limb(view, shorts, (0.058 * build, 0.055 * build), cloth))
    else:
        thigh = limb(view, (hip, knee), (0.056 * build, 0.043 * build), cloth)
        shin = limb(view, (knee, ankle), (0.042 * build, 0.031 * build), cloth)
        parts = [replace(shin, first_row=thigh.rows), thigh]
    parts.insert(0, shoe)
    depth = sum(part.depth for part in parts) / len(parts) - 0.4
    return [replace(part, depth=depth + 1e-3 * order) for order, part in enumerate(parts)]


def torso_parts(person: Person, joints: dict[str, Point], view: View) -> list[Part]:
    """The upper garment around the trunk."""
    shoulder = shoulder_half_width(person)
    hip = hip_half_width(person)
    thick = 0.008 if person.upper.cut in ("coat", "jacket", "hoodie") else 0.0
    deep = 0.062 * (0.3 + 0.7 * person.build) + thick
    chest, pelvis = joints["chest"], joints["pelvis"]
    top = (0.0, chest[1] + 0.028, 0.0)
    bottom = (0.0, pelvis[1] - HEM_BELOW_HIP.get(person.upper.cut, 0.0), 0.0)
    waist = min(shoulder, hip) * (0.8 + 0.16 * person.build) + thick
    outline = [
        (0.0, 0.036, 0.036),
        (0.06, shoulder * 0.78, deep * 0.72),
        (0.13, shoulder + 0.018, deep * 0.9),
        (0.3, shoulder + 0.006 + thick, deep),
        (0.65, waist + 0.004, deep * 0.9),
        (0.9, hip + thick, deep),
        (1.0, hip + thick + (0.012 if person.upper.cut == "coat" else 0.002), deep * 1.02),
    ]
    return [upright(view, top, bottom, outline, cloth_tile(person.upper, "torso"))]


def hip_parts(person: Person, joints: dict[str, Point], view: View) -> list[Part]:
    """The lower garment around the hips, down to the hem of a skirt."""
    hip = hip_half_width(person)
    deep = 0.062 * (0.3 + 0.7 * person.build)
    waist = (0.0, joints["pelvis"][1] + 0.06, 0.0)
    drop, flare = (0.2, 1.28) if person.lower.cut == "skirt" else (0.04, 0.9)
    hem = (0.0, joints["pelvis"][1] - drop, 0.0)
    outline = [(0.0, hip * 0.9, deep * 0.9), (0.35, hip, deep), (1.0, hip * flare, deep * (flare + 0.1))]
    part = upright(view, waist, hem, outline, cloth_tile(person.lower, "limb"))
    return [replace(part, depth=-0.2)]


def figure_parts(person: Person, pose: Pose, view: View) -> list[Part]:
    """All parts of a person in drawing order, farthest first."""
    joints = make_skeleton(person, pose)
    parts = torso_parts(person, joints, view) + hip_parts(person, joints, view)
    for side in ("left", "right"):
        parts += arm_parts(person, joints, view, side) + leg_parts(person, joints, view, side)
    parts += head_parts(person, joints, view) + bag_parts(person, joints, view)
    return sorted(parts, key=lambda part: part.depth)
