"""Plan who walks where and when: people meet in front of cameras, cross, turn back, leave and return."""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from reid_gl.synthetic.body import Pose
from reid_gl.synthetic.stage import FARTHEST, NEAREST, half_view

CYCLE = 0.85
"""Distance of two steps, in statures."""
OUTSIDE = 0.32
"""Visits begin and end this far outside the image, in statures."""
SPEEDS = (0.75, 1.15)
"""Range of walking speeds, in statures per second."""
TURN_SHARE = 0.35
"""Share of walks that turn back half-way."""
PAUSE_SHARE = 0.35
LONGEST_PAUSE = 1.5
RETURN_SHARE = 0.4
"""Probability that a person who was last in a camera's view is preferred for the next meeting there."""
RETURN_SECONDS = (0.7, 3.0)
"""Time between leaving a camera's view and returning to it."""
TRAVEL_SECONDS = 1.5
"""Minimum time from the view of one camera to that of its neighbour."""
PACE_SECONDS = (1.6, 4.0)
"""Time between two meetings in front of one camera."""


@dataclass(frozen=True)
class Visit:
    """One walk through the view of one camera, along straight lines between K points.

    Attributes:
        person: index of the person.
        camera: index of the camera.
        times: (K,) ascending frame numbers, from 0, at which the person reaches each point.
        across: (K,) positions, in statures to the right of the middle of the image.
        depths: (K,) distances from the camera, in statures.
    """

    person: int
    camera: int
    times: tuple[float, ...]
    across: tuple[float, ...]
    depths: tuple[float, ...]

    def position(self, frame: float) -> tuple[float, float]:
        """Across and depth at a frame."""
        return float(np.interp(frame, self.times, self.across)), float(
            np.interp(frame, self.times, self.depths)
        )

    def pose(self, frame: float, frame_rate: float) -> Pose:
        """Direction and phase of walking at a frame; a person who waits faces the camera."""
        before, after = self.position(frame - 0.5), self.position(frame + 0.5)
        right, away = after[0] - before[0], after[1] - before[1]
        speed = math.hypot(right, away) * frame_rate
        if speed < 0.05:
            return Pose(0.0, 0.0, 0.0)
        steps = np.hypot(np.diff(self.across), np.diff(self.depths))
        walked = float(np.interp(frame, self.times, np.concatenate([[0.0], np.cumsum(steps)])))
        phase = 2 * math.pi * walked / CYCLE + self.person
        return Pose(math.atan2(right, -away), phase % (2 * math.pi), float(np.clip(speed, 0.3, 1.0)))


@dataclass(frozen=True)
class _Candidate:
    """A person who could come: from which side, how fast and at what distance."""

    person: int
    side: float
    speed: float
    depths: tuple[float, float]


@dataclass
class _Past:
    """The visits of one person that are planned already.

    Attributes:
        last_camera: camera of the last one; None before the first.
        counts: number of visits by camera.
        ends: last frame by camera.
        ways_out: position at the end of the last one, by camera, in statures to the right of the middle.
    """

    last_camera: int | None = None
    counts: Counter[int] = field(default_factory=Counter)
    ends: dict[int, float] = field(default_factory=dict)
    ways_out: dict[int, float] = field(default_factory=dict)

    def add(self, visit: Visit) -> None:
        """Note a visit."""
        self.last_camera = visit.camera
        self.counts[visit.camera] += 1
        self.ends[visit.camera] = max(visit.times[-1], self.ends.get(visit.camera, -math.inf))
        self.ways_out[visit.camera] = visit.across[-1]


def plan_visits(
    rng: np.random.Generator,
    *,
    num_people: int,
    num_cameras: int,
    num_frames: int,
    frame_rate: float,
    aspect: float,
) -> list[Visit]:
    """Plan meetings in front of the cameras for the length of the sequence.

    Two or three people come to a camera together, some from the left and some from the right. They reach the
    same spot at about the same time. There some of them wait, and some turn back. No person is in two cameras
    at the same time.

    Args:
        rng: source of all random choices.
        num_people: number of people.
        num_cameras: number of cameras, side by side; walking from one to the next takes at least
            TRAVEL_SECONDS.
        num_frames: length of the sequence.
        frame_rate: frames per second.
        aspect: width / height of the frames.

    Returns:
        The visits in the order in which they were planned.
    """
    visits: list[Visit] = []
    pasts = [_Past() for _ in range(num_people)]
    meetings = [(float(rng.uniform(0.3, 2.0)) * frame_rate, camera) for camera in range(num_cameras)]
    heapq.heapify(meetings)
    while meetings and meetings[0][0] < num_frames + 3 * frame_rate:
        time, camera = heapq.heappop(meetings)
        planned = _meet(rng, pasts, camera, time, frame_rate, aspect)
        for visit in planned:
            pasts[visit.person].add(visit)
        visits += planned
        heapq.heappush(meetings, (time + float(rng.uniform(*PACE_SECONDS)) * frame_rate, camera))
    return visits


def free_from(ends: Mapping[int, float], camera: int, frame_rate: float, pause: float) -> float:
    """Return the first frame at which a person may enter a camera's view.

    Args:
        ends: last frame of the person's visits, by camera.
        camera: the camera to enter.
        frame_rate: frames per second.
        pause: time before a return to the same camera, in seconds.
    """
    free = -math.inf
    for other, end in ends.items():
        travel = abs(other - camera) * TRAVEL_SECONDS if other != camera else pause
        free = max(free, end + travel * frame_rate)
    return free


def _by_likelihood(rng: np.random.Generator, pasts: list[_Past], camera: int) -> list[int]:
    """Order all people: first those this camera saw last, then those it saw least often."""
    keys = []
    for past in pasts:
        comes_back = past.last_camera == camera and rng.random() < RETURN_SHARE
        keys.append(float(rng.uniform(0, 1.5)) + past.counts[camera] - 10 * comes_back)
    return sorted(range(len(pasts)), key=keys.__getitem__)


def _meet(
    rng: np.random.Generator,
    pasts: list[_Past],
    camera: int,
    time: float,
    frame_rate: float,
    aspect: float,
) -> list[Visit]:
    """Plan up to three visits that reach one spot at about one time; fewer if most people are elsewhere."""
    wanted = int(rng.integers(2, 4))
    order = _by_likelihood(rng, pasts, camera)
    spot = half_view(aspect, NEAREST) * float(rng.uniform(-0.4, 0.4))
    side = float(rng.choice(np.array([-1.0, 1.0])))
    planned: list[Visit] = []
    for person in order:
        if len(planned) == wanted:
            break
        way_out = pasts[person].ways_out.get(camera)
        entry = side if way_out is None else math.copysign(1.0, way_out)
        candidate = _Candidate(
            person,
            entry,
            float(rng.uniform(*SPEEDS)),
            (float(rng.uniform(NEAREST, FARTHEST)), float(rng.uniform(-0.35, 0.35))),
        )
        visit = _plan_walk(rng, candidate, camera, spot, time + float(rng.normal(0, 1.0)), frame_rate, aspect)
        free = free_from(pasts[person].ends, camera, frame_rate, float(rng.uniform(*RETURN_SECONDS)))
        if visit.times[0] >= free:
            planned.append(visit)
            side = -entry
    return planned


def _plan_walk(
    rng: np.random.Generator,
    candidate: _Candidate,
    camera: int,
    spot: float,
    time: float,
    frame_rate: float,
    aspect: float,
) -> Visit:
    """Plan a walk from one side to the spot, perhaps with a pause, then on to the other side or back."""
    first, change = candidate.depths
    last = float(np.clip(first + change, NEAREST, FARTHEST))
    side = candidate.side
    turns = bool(rng.random() < TURN_SHARE)
    pause = float(rng.uniform(0.3, LONGEST_PAUSE)) if rng.random() < PAUSE_SHARE else 0.0
    way_out = side if turns else -side
    points = [
        (side * (half_view(aspect, first) + OUTSIDE), first),
        (spot, (first + last) / 2),
        (spot, (first + last) / 2),
        (way_out * (half_view(aspect, last) + OUTSIDE), last),
    ]
    coming, going = (math.dist(points[a], points[a + 1]) / candidate.speed * frame_rate for a in (0, 2))
    waiting = max(pause * frame_rate, 1e-3)
    return Visit(
        person=candidate.person,
        camera=camera,
        times=(time - coming, time, time + waiting, time + waiting + going),
        across=tuple(point[0] for point in points),
        depths=tuple(point[1] for point in points),
    )
