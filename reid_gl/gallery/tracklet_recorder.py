"""Add what a tracker sees to a gallery, a few rows per tracklet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_gl.gallery.gallery import Gallery
from reid_gl.gallery.interface.sightings import UNKNOWN, Sighting

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class RecordedTracklet:
    """A tracklet that has ended, with the fields that a Tracklet of reid_gl.tracking has.

    Attributes:
        camid: camera.
        start: time of the first image, in seconds since 1970.
        end: time of the last image.
        feature: (D,) float32, mean direction of all images.
        number: number of the track.
        rows: (R,) numbers of its rows in the gallery, for `Gallery.set_identity`.
    """

    camid: int
    start: float
    end: float
    feature: NDArray[np.float32]
    number: int
    rows: NDArray[np.int64]


@dataclass
class _Interval:
    """Images since the last row of a track."""

    start: float
    total: NDArray[np.float64]
    area: float = -1.0
    sighting: Sighting = field(default_factory=Sighting)


@dataclass
class _Track:
    start: float
    end: float
    total: NDArray[np.float64]
    rows: list[int] = field(default_factory=list)
    interval: _Interval | None = None


class TrackletRecorder:
    """Records the tracks of one camera: a row for each track and interval, and the tracklets that ended.

    A row has the mean direction of the features of its interval, and time, frame and box of the largest
    image in it. Images of an unfinished interval are lost if the process is killed.

    Args:
        gallery: a gallery that can be written.
        camera: number of the camera.
        path: video or stream that the frames come from.
        every: seconds of an interval.
        ends_after: seconds without an image after which a track has ended.

    Raises:
        ValueError: a number of seconds is not positive.
    """

    def __init__(
        self, gallery: Gallery, camera: int, *, path: str = "", every: float = 10.0, ends_after: float = 5.0
    ) -> None:
        if not (every > 0 and ends_after > 0):
            raise ValueError(f"every and ends_after must be positive seconds, got {every} and {ends_after}")
        self._gallery, self._camera, self._path = gallery, camera, path
        self._every, self._ends_after = every, ends_after
        self._tracks: dict[int, _Track] = {}
        self._time = -np.inf

    def update(
        self,
        time: float,
        numbers: Sequence[int] | NDArray[np.integer],
        boxes: ArrayLike,
        features: NDArray[np.floating],
        *,
        frame: int = UNKNOWN,
    ) -> list[RecordedTracklet]:
        """Take the tracks of a frame; add the rows that are due.

        Args:
            time: time of the frame in seconds since 1970, not before that of the previous frame.
            numbers: (N,) track numbers, each once.
            boxes: (N, 4) x1, y1, x2, y2 in pixels.
            features: (N, D) of any norm; rows of zeros, as for boxes outside the frame, are ignored.
            frame: number of the frame in the video, from 1.

        Returns:
            Tracklets that have ended.

        Raises:
            ValueError: shapes or times are wrong, or features are not finite.
        """
        corners = np.asarray(boxes, np.float64).reshape(-1, 4)
        units = _unit(features)
        if not (len(numbers) == len(corners) == len(units) == len({int(number) for number in numbers})):
            raise ValueError(
                f"expected one box and one feature for each track number, and each number once, got "
                f"{len(numbers)} numbers, {len(corners)} boxes and {len(units)} features"
            )
        if not time >= self._time:
            raise ValueError(f"frames must come in the order of their times, got {time} after {self._time}")
        self._time = time
        for number, box, unit in zip(numbers, corners.tolist(), units, strict=True):
            if unit.any():
                self._see(int(number), time, (box[0], box[1], box[2], box[3]), unit, frame)
        ended = [number for number, track in self._tracks.items() if time - track.end > self._ends_after]
        due = [
            number
            for number, track in self._tracks.items()
            if track.interval is not None and time - track.interval.start >= self._every
        ]
        return self._record({*ended, *due}, ended)

    def close(self) -> list[RecordedTracklet]:
        """End all tracks, add their last rows, and return their tracklets; the gallery stays open."""
        return self._record(set(self._tracks), list(self._tracks))

    def _see(self, number: int, time: float, box: Box, unit: NDArray[np.float64], frame: int) -> None:
        track = self._tracks.setdefault(number, _Track(time, time, np.zeros_like(unit)))
        interval = track.interval = track.interval or _Interval(time, np.zeros_like(unit))
        track.end, track.total, interval.total = time, track.total + unit, interval.total + unit
        area = (box[2] - box[0]) * (box[3] - box[1])
        if area > interval.area:
            interval.area = area
            interval.sighting = Sighting(self._camera, time, number, path=self._path, frame=frame, box=box)

    def _record(self, due: set[int], ended: list[int]) -> list[RecordedTracklet]:
        """Add the rows of the due tracks in one transaction, and forget the ended ones."""
        waiting = {
            number: track.interval
            for number in sorted(due)
            if (track := self._tracks[number]).interval is not None and track.interval.total.any()
        }
        if waiting:
            features = np.stack([_unit(interval.total[None])[0] for interval in waiting.values()])
            rows = self._gallery.add(
                features.astype(np.float32), [interval.sighting for interval in waiting.values()]
            )
            for number, row in zip(waiting, rows.tolist(), strict=True):
                self._tracks[number].rows.append(row)
                self._tracks[number].interval = None
        return [self._ended(number, self._tracks.pop(number)) for number in ended]

    def _ended(self, number: int, track: _Track) -> RecordedTracklet:
        feature = _unit(track.total[None])[0].astype(np.float32)
        rows = np.array(track.rows, np.int64)
        return RecordedTracklet(self._camera, track.start, track.end, feature, number, rows)


def _unit(features: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scale rows (N, D) to length one; rows of zeros stay.

    Raises:
        ValueError: the shape is wrong, or a number is not finite.
    """
    rows = np.asarray(features, np.float64)
    if rows.ndim != 2 or not np.isfinite(rows).all():
        raise ValueError(f"features must be finite numbers (N, D), got shape {rows.shape}")
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: NDArray[np.float64] = rows / np.where(lengths > 0, lengths, 1.0)
    return unit
