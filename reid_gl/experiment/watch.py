"""Show what a network makes of a video: boxes with identities, and a contact sheet of the identities."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from reid_gl.data.loading.images import Image8
from reid_gl.data.mot.read import iterate_frames, load_sequence
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.files import unfinished_beside
from reid_gl.inference.bulk.crop_lists import CropList, frame_rate_of
from reid_gl.inference.bulk.extract_many import extract_in_parts, remove_parts
from reid_gl.inference.bulk.video import VideoEndsError, VideoReader, claimed_frames
from reid_gl.inference.extractor.crops import cut_boxes
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.report.annotated_frame import LabelledBox, draw_boxes
from reid_gl.report.identity_sheet import encode_crop, format_identity_sheet, rows_to_show
from reid_gl.report.video_writer import VideoWriter
from reid_gl.tracking.frame_threshold import FALSE_ACCEPT_RATE, measure_threshold
from reid_gl.tracking.identities import Identities, assign_identities

logger = logging.getLogger(__name__)

USUAL_FRAME_RATE = 25.0
GAP_SECONDS = 0.5
"""Time without a detection after which a tracklet ends."""


@dataclass(frozen=True)
class WatchFiles:
    """Files that are written.

    Attributes:
        video: the annotated video, with the suffix .mp4.
        force: replace files that exist.
    """

    video: Path
    force: bool = False

    @property
    def sheet(self) -> Path:
        """The contact sheet, next to the video."""
        return self.video.with_suffix(".html")

    @property
    def parts(self) -> Path:
        """The folder next to the video that holds all that is unfinished; it disappears at the end."""
        return self.video.with_name(f"{self.video.name}.parts")

    def check(self, source: Path) -> None:
        """Check before the work that the files can be written.

        Raises:
            ValueError: the suffix is another one, or the video would replace its source.
            FileExistsError: a file exists, and force is not given.
        """
        if self.video.suffix.lower() != ".mp4":
            raise ValueError(f"cannot write {self.video}: expected a name that ends in .mp4")
        if source.exists() and self.video.exists() and self.video.samefile(source):
            raise ValueError(f"{self.video} is the source: choose another output")
        for path in (self.video, self.sheet):
            if os.path.lexists(path) and not self.force:
                raise FileExistsError(f"{path} exists: choose another output, or replace it with --force")


def watch_video(
    source: Path,
    crops: CropList,
    files: WatchFiles,
    make_extractor: Callable[[], FeatureExtractor],
    *,
    calibration: Calibration | None = None,
    threshold: float | None = None,
    identity: dict[str, Any],
    batch_size: int,
    show_progress: bool = False,
) -> dict[str, Any]:
    """Compute features, assign identities, and write both files; they appear together or not at all.

    The features are kept in a folder next to the video until it is finished, so that the same call resumes an
    interrupted one. The video grows in this folder too, so that a killed process leaves nothing elsewhere.

    Args:
        source: the video, or the folder of a MOT Challenge sequence.
        crops: its boxes.
        files: where to write.
        make_extractor: makes the extractor; called after all other checks.
        calibration: thresholds of the network, if it has any.
        threshold: largest cosine distance within an identity; None takes that of the calibration at a false
            accept rate of 1 %, or else measures it on the video, see measure_threshold.
        identity: plain values that the features depend on, such as weights and settings.
        batch_size: images per batch.
        show_progress: draw progress bars with the estimated time left.

    Returns:
        A summary, as plain values.

    Raises:
        FileExistsError, OSError, ValueError: see WatchFiles.check, VideoWriter and extract_in_parts; or the
            source has no boxes, or no threshold is known.
    """
    files.check(source)
    if crops.boxes is None:
        raise ValueError(f"{source} has no boxes to watch: give those of a detector or tracker with --boxes")
    if threshold is not None and not math.isfinite(threshold):
        raise ValueError(f"threshold must be a finite cosine distance, got {threshold}")
    rate = frame_rate_of(source, crops) or USUAL_FRAME_RATE
    parts = extract_in_parts(
        make_extractor(),
        crops,
        files.parts,
        identity=identity,
        batch_size=batch_size,
        show_progress=show_progress,
    )
    features = np.concatenate([part for part, _ in parts])
    found, threshold = _identify(crops, features, threshold, calibration, rate)
    facts = _describe(crops, found, threshold)
    facts["frames"] = _write_files(files, source, crops, found, rate, facts, show_progress)
    remove_parts(parts)
    return {"video": str(files.video), "sheet": str(files.sheet), **facts}


def _describe(crops: CropList, found: Identities, threshold: float) -> dict[str, Any]:
    """Return the facts above the contact sheet, except the number of frames."""
    return {
        "boxes": len(crops),
        "tracklets": int(np.unique(found.tracklets[found.tracklets >= 0]).size),
        "identities": found.count,
        "boxes_without_identity": int((found.numbers == 0).sum()),
        "threshold": round(threshold, 4),
    }


def _write_files(
    files: WatchFiles,
    source: Path,
    crops: CropList,
    found: Identities,
    rate: float,
    facts: dict[str, Any],
    show_progress: bool,
) -> int:
    """Write video and contact sheet, both or none, and return the number of frames."""
    with unfinished_beside(files.parts / files.video.name) as unfinished:
        video, sheet = unfinished / files.video.name, unfinished / files.sheet.name
        num_frames, thumbnails = _write_video(video, source, crops, found, rate, show_progress)
        lines = [
            f"{name.replace('_', ' '):<23} {value}" for name, value in {"frames": num_frames, **facts}.items()
        ]
        text = format_identity_sheet(
            crops.name,
            lines,
            frames=crops.columns["frames"],
            identities=found.numbers,
            tracklets=found.tracklets,
            similarities=found.similarities,
            thumbnails=thumbnails,
        )
        sheet.write_text(text, encoding="utf-8")
        sheet.replace(files.sheet)
        video.replace(files.video)
    return num_frames


def _identify(
    crops: CropList,
    features: NDArray[np.float32],
    threshold: float | None,
    calibration: Calibration | None,
    rate: float,
) -> tuple[Identities, float]:
    """Return the identities of all boxes, and the threshold that decided."""
    frames, boxes = crops.columns["frames"], crops.boxes
    assert boxes is not None
    if threshold is None:
        threshold = _known_threshold(calibration)
    if threshold is None:
        threshold = measure_threshold(frames, boxes, features)
        logger.info("the threshold is measured on the video: cosine distance %.3f", threshold)
    found = assign_identities(
        frames,
        boxes,
        features,
        track_ids=_track_ids(crops),
        threshold=threshold,
        max_gap=max(1, round(GAP_SECONDS * rate)),
    )
    return found, threshold


def _known_threshold(calibration: Calibration | None) -> float | None:
    """Return the threshold at a false accept rate of 1 %; None if it was not calibrated."""
    points = () if calibration is None else calibration.points
    return next((p.threshold for p in points if math.isclose(p.false_accept_rate, FALSE_ACCEPT_RATE)), None)


def _track_ids(crops: CropList) -> NDArray[np.int64] | None:
    """Return the numbers of a tracker; None if any box has none."""
    ids = crops.columns["ids"]
    if (ids >= 0).all():
        return ids
    if (ids >= 0).any():
        logger.warning("%s boxes have no track number: all numbers are ignored", f"{(ids < 0).sum():,}")
    return None


def _write_video(
    path: Path, source: Path, crops: CropList, found: Identities, rate: float, show_progress: bool
) -> tuple[int, dict[int, bytes]]:
    """Write all frames; return their number, and a thumbnail of each row that the contact sheet shows."""
    assert crops.boxes is not None
    shown = {row for rows in rows_to_show(found.numbers).values() for row in rows}
    frames = crops.columns["frames"]
    thumbnails: dict[int, bytes] = {}
    writer: VideoWriter | None = None
    number = 0
    try:
        for number, frame in _frames_of(source, crops, show_progress):
            if writer is None:
                writer = VideoWriter(path, (frame.shape[0], frame.shape[1]), rate)
            rows = range(*np.searchsorted(frames, [number, number + 1]).tolist())
            for row in sorted(shown.intersection(rows)):
                (crop,) = cut_boxes(frame, crops.boxes[row : row + 1])
                assert crop is not None
                thumbnails[row] = encode_crop(crop, int(found.numbers[row]))
            writer.write(draw_boxes(frame, [_labelled(row, crops.boxes, found) for row in rows]))
        assert writer is not None
        writer.close()
    except BaseException:
        if writer is not None:
            writer.abandon()
        raise
    return number, thumbnails


def _labelled(row: int, boxes: NDArray[np.float64], found: Identities) -> LabelledBox:
    x1, y1, x2, y2 = boxes[row].tolist()
    return LabelledBox((x1, y1, x2, y2), int(found.numbers[row]), float(found.similarities[row]))


def _frames_of(source: Path, crops: CropList, show_progress: bool) -> Iterator[tuple[int, Image8]]:
    """Yield every frame, (H, W, 3) uint8 RGB, with its number from 1."""
    sequence = None if crops.video is not None else load_sequence(source)
    total = claimed_frames(source) if sequence is None else sequence.num_frames
    disable = None if show_progress else True
    with tqdm(total=max(total, 0) or None, unit="frame", desc="drawing", disable=disable) as bar:
        frames = _video_frames(source) if sequence is None else iterate_frames(sequence)
        for number, frame in frames:
            is_bgr = sequence is not None
            yield number, np.asarray(cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) if is_bgr else frame, np.uint8)
            bar.update()


def _video_frames(path: Path) -> Iterator[tuple[int, Image8]]:
    reader = VideoReader(path)
    try:
        for number in count(1):
            try:
                frame = reader.read(number)
            except VideoEndsError:
                return
            yield number, frame
    finally:
        reader.close()
