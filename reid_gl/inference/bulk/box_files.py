"""Read the boxes of a video or a sequence: detections or ground truth."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reid_gl.data.mot.classes import select_classes
from reid_gl.data.mot.read import PEDESTRIAN, MotBoxes, read_detections, read_ground_truth

logger = logging.getLogger(__name__)

TRUTH_NAME = "gt.txt"


@dataclass(frozen=True)
class BoxFile:
    """A box file in the format of MOT Challenge.

    Attributes:
        path: the file. A name that begins with gt is ground truth; any other name is detections.
        classes: classes of the ground truth to read; None means pedestrians.
    """

    path: Path
    classes: Sequence[int] | None = None

    def __post_init__(self) -> None:
        """Refuse classes for detections, which have no classes."""
        if self.classes is not None and not self.is_truth:
            raise ValueError(
                f"classes need ground truth, a file with a name that begins with gt, got {self.path}: "
                "leave the classes out, or give gt.txt as boxes"
            )

    @property
    def is_truth(self) -> bool:
        """Whether it holds ground truth."""
        return self.path.name.startswith(Path(TRUTH_NAME).stem)

    def read(self, num_frames: int | None) -> MotBoxes:
        """Read the detections, or the ground-truth boxes of the chosen classes.

        Args:
            num_frames: number of frames of the video or sequence; None accepts any frame.

        Raises:
            FileNotFoundError, ValueError: see read_detections and read_ground_truth.
        """
        if not self.is_truth:
            return read_detections(self.path, num_frames=num_frames)
        found = read_ground_truth(self.path, num_frames=num_frames)
        return select_classes(found, self.classes or (PEDESTRIAN,), self.path)


def own_boxes(sequence: Path) -> Path:
    """Return det/det.txt of a sequence's folder; if it does not exist, gt/gt.txt, with a warning."""
    detections, truth = sequence / "det" / "det.txt", sequence / "gt" / TRUTH_NAME
    if detections.is_file() or not truth.is_file():
        return detections
    logger.warning(
        "%s does not exist: boxes and ids are those of the ground truth, %s; give other boxes with --boxes",
        *(detections, truth),
    )
    return truth
