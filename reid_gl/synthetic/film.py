"""One frame of a sequence: draw people and obstacles from far to near, measure visibility, then expose."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_gl.synthetic.body import Pose, View
from reid_gl.synthetic.cameras import Camera
from reid_gl.synthetic.figure import figure_parts
from reid_gl.synthetic.optics import colour_matrix, tone_curve
from reid_gl.synthetic.palette import ByteImage, FloatImage
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.raster import Part, draw_part, outline
from reid_gl.synthetic.render import draw_shadow
from reid_gl.synthetic.stage import Obstacle, Stage, draw_obstacle

NOBODY = -1
SLACK = 128
"""The noise image is larger than a frame by this many pixels per side."""
DRIFT = 0.18
"""Amplitude of the exposure's drift, as a share of the exposure."""
Labels = NDArray[np.int16]
"""Owner of each pixel: the index of a person, or NOBODY."""


@dataclass(frozen=True)
class Actor:
    """A person in a frame.

    Attributes:
        index: index of the person in the cast.
        person: looks of the person.
        pose: direction and phase of walking.
        across: position, in statures to the right of the middle of the image.
        depth: distance from the camera, in statures.
    """

    index: int
    person: Person
    pose: Pose
    across: float
    depth: float


@dataclass(frozen=True)
class Seen:
    """What a frame shows of a person.

    Attributes:
        index: index of the person in the cast.
        box: left, top, width and height of the whole body in pixels, from 0; may extend beyond the frame.
        visibility: share of the body's pixels that are inside the frame and not occluded.
    """

    index: int
    box: tuple[float, float, float, float]
    visibility: float


@dataclass(frozen=True)
class Weather:
    """How a camera's sensor responds to the light during one sequence.

    Attributes:
        colours: (3, 3) float32 map from the scene's colours to the sensor's.
        tones: (256,) uint8 tone curve.
        period: period of the exposure's drift, in frames.
        grain: (H + SLACK, W + SLACK, 3) float32 sensor noise; each frame uses another crop of it.
    """

    colours: FloatImage
    tones: ByteImage
    period: float
    grain: FloatImage


def draw_weather(camera: Camera, width: int, height: int, rng: np.random.Generator) -> Weather:
    """Draw the weather of one sequence with frames of width x height pixels."""
    noise = rng.standard_normal((height + SLACK, width + SLACK, 3), dtype=np.float32)
    return Weather(
        colours=colour_matrix(camera, rng),
        tones=tone_curve(camera, rng),
        period=float(rng.uniform(60, 160)),
        grain=camera.noise * noise,
    )


def paint_scene(stage: Stage, actors: list[Actor]) -> tuple[FloatImage, list[Seen]]:
    """Draw all people into the scene.

    Args:
        stage: the scene.
        actors: the people in the frame, in any order.

    Returns:
        (height, width, 3) float32 in [0, 255], and the people with a box that touches the frame.
    """
    canvas = stage.background.copy()
    labels: Labels = np.full(canvas.shape[:2], NOBODY, np.int16)
    bodies: dict[int, tuple[tuple[float, float, float, float], int]] = {}
    things: list[Actor | Obstacle] = [*actors, *stage.obstacles]
    for thing in sorted(things, key=lambda thing: -thing.depth):
        if isinstance(thing, Obstacle):
            left, top, right, bottom = draw_obstacle(canvas, stage, thing)
            labels[top:bottom, left:right] = NOBODY
        else:
            bodies[thing.index] = _draw_actor(canvas, labels, stage, thing)
    canvas *= stage.light
    pixels = np.bincount(labels[labels != NOBODY], minlength=1 + max(bodies, default=0))
    seen = [
        Seen(index, box, float(pixels[index]) / area)
        for index, (box, area) in sorted(bodies.items())
        if _touches(box, stage)
    ]
    return canvas, seen


def expose_frame(
    canvas: FloatImage, stage: Stage, weather: Weather, frame: int, rng: np.random.Generator
) -> ByteImage:
    """Expose the frame: exposure, colours, blur, noise and tones.

    Args:
        canvas: (H, W, 3) float32 in [0, 255].
        stage: the scene and its camera.
        weather: weather of the sequence.
        frame: frame number, for the drift of the exposure.
        rng: chooses the crop of the noise.

    Returns:
        (H, W, 3) uint8 BGR.
    """
    exposure = 1 + DRIFT * math.sin(2 * math.pi * frame / weather.period)
    sensed = cv2.transform(canvas, np.asarray(exposure * weather.colours, dtype=np.float32))
    sensed = cv2.GaussianBlur(sensed, (5, 5), stage.camera.defocus + 0.3)
    row, column = rng.integers(0, SLACK, 2)
    sensed = cv2.add(sensed, weather.grain[row : row + stage.height, column : column + stage.width])
    return np.asarray(cv2.LUT(np.clip(sensed, 0, 255).astype(np.uint8), weather.tones), dtype=np.uint8)


def _draw_actor(
    canvas: FloatImage, labels: Labels, stage: Stage, actor: Actor
) -> tuple[tuple[float, float, float, float], int]:
    """Paint a person and claim the pixels; return the box and the number of pixels of the whole body."""
    column, row = stage.project(actor.across, actor.depth)
    view = View(actor.pose.yaw, stage.camera.pitch, stage.scale(actor.depth), column, row)
    draw_shadow(canvas, view, stage.camera)
    parts = figure_parts(actor.person, actor.pose, view)
    for part in parts:
        draw_part(canvas, part, stage.camera.light)
    mask, left, top = _silhouette(parts)
    _claim(labels, mask, left, top, actor.index)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = (
        float(left + columns[0]),
        float(top + rows[0]),
        float(columns[-1] - columns[0] + 1),
        float(rows[-1] - rows[0] + 1),
    )
    return box, int(np.count_nonzero(mask))


def _silhouette(parts: list[Part]) -> tuple[ByteImage, int, int]:
    """Mask of the body's pixels, including those outside the frame, and its left column and top row."""
    outlines = [np.array(outline(part)) for part in parts]
    corners = np.concatenate(outlines)
    left, top = (int(value) for value in np.floor(corners.min(axis=0)) - 1)
    right, bottom = (int(value) for value in np.ceil(corners.max(axis=0)) + 2)
    mask: ByteImage = np.zeros((bottom - top, right - left), np.uint8)
    for points in outlines:
        cv2.fillPoly(mask, [np.round(points - (left, top)).astype(np.int32)], 1)
    return mask, left, top


def _claim(labels: Labels, mask: ByteImage, left: int, top: int, index: int) -> None:
    """Write a person's index to the pixels of the silhouette inside the frame, in place."""
    rows = slice(max(0, top), max(0, top + mask.shape[0]))
    columns = slice(max(0, left), max(0, left + mask.shape[1]))
    area = labels[rows, columns]
    inside = mask[rows.start - top :, columns.start - left :][: area.shape[0], : area.shape[1]]
    area[inside > 0] = index


def _touches(box: tuple[float, float, float, float], stage: Stage) -> bool:
    """Whether any part of the box lies inside the frame."""
    left, top, width, height = box
    return left < stage.width and left + width > 0 and top < stage.height and top + height > 0
