"""Select and name the crops of MOT Challenge ground truth that make a re-identification set."""

from __future__ import annotations

import logging
import math
import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from reid_gl.data.datasets.reading.entries import is_folder
from reid_gl.data.datasets.reading.market_layout import MARKET_FOLDERS
from reid_gl.data.mot.classes import select_classes
from reid_gl.data.mot.read import (
    LARGEST,
    PEDESTRIAN,
    MotBoxes,
    MotSequence,
    load_sequence,
    read_ground_truth,
)
from reid_gl.seeds import check_seed

logger = logging.getLogger(__name__)

TRAIN, QUERY, GALLERY = MARKET_FOLDERS
_DETECTOR = re.compile(r"-(DPM|FRCNN|SDP)$")


@dataclass(frozen=True)
class CropRule:
    """Rule for the boxes to crop and for splitting the people.

    Attributes:
        min_visibility: smallest visible share of the body, in [0, 1].
        min_width: smallest width of the crop inside the frame, in pixels.
        min_height: smallest height of the crop inside the frame, in pixels.
        stride: crop every stride-th frame.
        train_share: share of the identities for training, strictly between 0 and 1; the rest is for testing.
        shared_identities: whether an id is the same person in all sequences, as for cameras at one place.
        seed: seed of the choice of training identities and of queries.
        classes: classes of the boxes, as numbered in the ground truth.
    """

    min_visibility: float = 0.3
    min_width: int = 16
    min_height: int = 32
    stride: int = 1
    train_share: float = 0.5
    shared_identities: bool = False
    seed: int = 0
    classes: tuple[int, ...] = (PEDESTRIAN,)

    def __post_init__(self) -> None:
        """Refuse rules that make no sense."""
        if not 0 <= self.min_visibility <= 1:
            raise ValueError(f"min_visibility is {self.min_visibility}: expected a share from 0 to 1")
        for name in ("min_width", "min_height", "stride"):
            if not 1 <= getattr(self, name) <= LARGEST:
                raise ValueError(f"{name} is {getattr(self, name)}: expected 1 to {LARGEST:,}")
        check_seed(self.seed)
        if not 0 < self.train_share < 1:
            raise ValueError(f"train_share is {self.train_share}: expected a share between 0 and 1")
        if not self.classes:
            raise ValueError("classes is empty: expected at least one class, such as 1 for people on foot")


@dataclass(frozen=True)
class Crop:
    """One image to crop.

    Attributes:
        pid: identity, from 1.
        camera: number of the sequence, from 1.
        sequence: its name.
        frame: from 1.
        corners: x1, y1, x2, y2 pixels from 0: the image is frame[y1:y2, x1:x2].
        visibility: visibility in the ground truth.
        part: TRAIN, QUERY or GALLERY.
    """

    pid: int
    camera: int
    sequence: str
    frame: int
    corners: tuple[int, int, int, int]
    visibility: float
    part: str = TRAIN

    @property
    def path(self) -> str:
        """Return the image's path in the set, named as in Market-1501."""
        return f"{self.part}/{self.pid:04d}_c{self.camera}s1_{self.frame:06d}_00.jpg"


def find_sequences(folders: Sequence[str | Path]) -> list[MotSequence]:
    """Find sequences, given directly or by their parent folders; each folder's are sorted by name.

    MOT17 has three copies of each sequence, which differ only in their detections; the first is taken.

    Args:
        folders: sequences, or folders that contain sequences.

    Returns:
        The sequences that have ground truth.

    Raises:
        FileNotFoundError: a folder has no sequence with ground truth, or a link in it is broken.
        PermissionError: a folder in it cannot be read.
        ValueError: two sequences have the same name.
    """
    found: dict[str, MotSequence] = {}
    for folder in folders:
        candidates = [path for path in _possible(Path(folder)) if os.path.lexists(path / "gt" / "gt.txt")]
        if not candidates:
            raise FileNotFoundError(
                f"no sequence in {folder}: expected seqinfo.ini and gt/gt.txt in it or in folders of it"
            )
        for sequence in map(load_sequence, candidates):
            key = _DETECTOR.sub("", sequence.name)
            if key in found and key == sequence.name:
                raise ValueError(f"two sequences are called {key}: {found[key].folder} and {sequence.folder}")
            if key in found:
                logger.info("%s is left out: %s has the same frames", sequence.name, found[key].name)
            found.setdefault(key, sequence)
    return list(found.values())


def _possible(folder: Path) -> list[Path]:
    """Return the folder if it holds seqinfo.ini, else those folders in it that do, sorted by name."""
    if not folder.is_dir() or (folder / "seqinfo.ini").is_file():
        return [folder]
    with os.scandir(folder) as entries:
        inner = sorted(folder / entry.name for entry in entries if entry.name[0] != "." and is_folder(entry))
    return [path for path in inner if (path / "seqinfo.ini").is_file()]


def plan_crops(sequences: Sequence[MotSequence], rule: CropRule) -> list[Crop]:
    """Decide on every crop; no image is opened.

    Only boxes with a flag above 0 and one of the rule's classes count. In each camera, one crop of each test
    identity becomes a query if the identity has another crop; the rest form the gallery.

    Args:
        sequences: the first is camera 1, the second camera 2, and so on.
        rule: what to crop.

    Returns:
        Crops by camera and frame.

    Raises:
        FileNotFoundError: a sequence has no ground truth.
        ValueError: the ground truth is broken, or nothing is left for training, query or gallery.
    """
    crops: list[Crop] = []
    offset = 0
    for camera, sequence in enumerate(sequences, start=1):
        path = sequence.folder / "gt" / "gt.txt"
        truth = read_ground_truth(path, num_frames=sequence.num_frames)
        truth = select_classes(truth, rule.classes, path)
        if len(truth) and truth.ids.min() < 1:
            raise ValueError(f"{path}: people must have ids from 1, got {truth.ids.min()}")
        crops += _crops_of(sequence, truth, camera, offset, rule)
        if not rule.shared_identities:
            offset += int(truth.ids.max(initial=0))
    crops = _share_out(crops, rule)
    missing = [part for part in MARKET_FOLDERS if not any(crop.part == part for crop in crops)]
    if missing:
        raise ValueError(
            f"nothing is left for {', '.join(missing)}: {len(crops)} crops of {len({c.pid for c in crops})} "
            "identities pass; lower the minimum visibility, size or stride, or give more sequences"
        )
    return crops


def _crops_of(sequence: MotSequence, truth: MotBoxes, camera: int, offset: int, rule: CropRule) -> list[Crop]:
    """Return the crops of one sequence that satisfy the rule."""
    sides = truth.boxes.copy()
    sides[:, 2:] += sides[:, :2]
    # clipped, then truncated, as the extractor crops frames
    corners = np.clip(sides, 0, [sequence.width, sequence.height] * 2).astype(np.int64)
    wide, tall = (corners[:, axis + 2] - corners[:, axis] for axis in (0, 1))
    good = (wide >= rule.min_width) & (tall >= rule.min_height) & (truth.visibilities >= rule.min_visibility)
    good &= (truth.frames - 1) % rule.stride == 0
    return [
        Crop(
            pid=int(truth.ids[row]) + offset,
            camera=camera,
            sequence=sequence.name,
            frame=int(truth.frames[row]),
            corners=tuple(corners[row].tolist()),
            visibility=float(truth.visibilities[row]),
        )
        for row in np.flatnonzero(good)
    ]


def _share_out(crops: list[Crop], rule: CropRule) -> list[Crop]:
    """Split identities into training and test, and the crops of test identities into query and gallery."""
    rng = np.random.default_rng(rule.seed)
    pids = sorted({crop.pid for crop in crops})
    num_train = min(max(1, math.floor(rule.train_share * len(pids) + 0.5)), max(0, len(pids) - 1))
    train = {pids[int(index)] for index in rng.permutation(len(pids))[:num_train]}
    places: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, crop in enumerate(crops):
        if crop.pid not in train:
            places[crop.pid, crop.camera].append(place)
    queries = {own[int(rng.integers(len(own)))] for own in places.values() if len(own) > 1}
    return [
        crop if crop.pid in train else replace(crop, part=QUERY if place in queries else GALLERY)
        for place, crop in enumerate(crops)
    ]
