"""The two shapes of body parts: round-ended limbs and upright elliptic cylinders."""

from __future__ import annotations

import math
from functools import lru_cache

from reid_gl.synthetic.body import Point, View
from reid_gl.synthetic.garments import TILE_PER_RADIAN, TILE_PER_STATURE
from reid_gl.synthetic.palette import Colour, FloatImage, as_float
from reid_gl.synthetic.raster import Part, rounded


@lru_cache(maxsize=64)
def plain_tile(colour: Colour) -> FloatImage:
    """A one-pixel texture."""
    return as_float(colour)[None, None]


def limb(view: View, ends: tuple[Point, Point], radii: tuple[float, float], tile: FloatImage) -> Part:
    """Build a round-ended part between two joints.

    Args:
        view: projection.
        ends: joints, in statures.
        radii: half widths at the two joints, in statures.
        tile: texture.
    """
    x0, y0, near0 = view.project(ends[0])
    x1, y1, near1 = view.project(ends[1])
    nearness = (near0 + near1) / 2
    length = math.dist(ends[0], ends[1])
    return Part(
        start=(x0, y0),
        end=(x1, y1),
        profile=rounded(math.hypot(x1 - x0, y1 - y0), radii[0] * view.scale, radii[1] * view.scale),
        tile=tile,
        depth=nearness,
        rows=length * TILE_PER_STATURE,
        per_radian=TILE_PER_RADIAN * min(1.0, radii[0] / 0.085),
        yaw=view.yaw,
        shade=1 + 1.6 * min(0.0, max(nearness, -0.16)),
    )


def upright(
    view: View, top: Point, bottom: Point, outline: list[tuple[float, float, float]], tile: FloatImage
) -> Part:
    """Build an elliptic cylinder from (share of the way, lateral, sagittal half axis in statures) triples."""
    x0, y0, _ = view.project(top)
    x1, y1, _ = view.project(bottom)
    return Part(
        start=(x0, y0),
        end=(x1, y1),
        profile=tuple((share, view.half_width(lateral, sagittal)) for share, lateral, sagittal in outline),
        tile=tile,
        depth=0.0,
        rows=(top[1] - bottom[1]) * TILE_PER_STATURE,
        per_radian=TILE_PER_RADIAN,
        yaw=view.yaw,
    )
