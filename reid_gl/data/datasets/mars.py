"""MARS, the video extension of Market-1501."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.disjoint import check_disjoint
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.data.datasets.reading.mat_files import read_whole_numbers
from reid_gl.records import JUNK_PID, ReidDataset, Sample
from reid_gl.untrusted.regular_file import read_lines

FOLDER_NAMES = ("MARS", "MARS-v160809")
FOLDERS = ("bbox_train", "bbox_test")
NAMES = ("info/train_name.txt", "info/test_name.txt")
TRACKS = ("info/tracks_train_info.mat", "info/tracks_test_info.mat")
QUERIES = "info/query_IDX.mat"
PUBLISHED = SplitCounts(
    training_images=509_914,
    training_identities=625,
    query_images=114_493,
    query_identities=626,
    gallery_images=657_709,
    gallery_distractors=147_743,
)
"""Totals of the authors' files in info/."""
TREE = """\
MARS/
    bbox_train/    0001/0001C1T0001F001.jpg … ({identity}C{camera}T{track}F{frame})
    bbox_test/     0000/0000C1T0001F001.jpg …
    info/          train_name.txt  tracks_train_info.mat  query_IDX.mat
                   test_name.txt   tracks_test_info.mat"""

_NAME = re.compile(r"(\d{4})C(\d)T\d+F\d+\.jpg")


def load_mars(root: str | Path) -> ReidDataset:
    """Load MARS, every frame of every track; no image is opened.

    As in the authors' evaluation, the gallery also contains the tracks of the queries. The camera rule keeps
    a query from finding itself, and without these tracks 140 of the 1,980 queries would have no match. Junk
    tracks (-1) are omitted, distractors (0) are kept.

    Args:
        root: the data folder, its parent, or a part of it.

    Returns:
        The data set in the order of the authors' lists. `tracklet` numbers the tracks, starting with the
        training set; a query's track has the same number in the gallery.

    Raises:
        FileNotFoundError: folders or lists are missing, or a listed image is missing.
        ValueError: the lists are broken or do not fit together.

    Source: Zheng et al., "MARS: A Video Benchmark for Large-Scale Person Re-identification", ECCV 2016.
    """
    folder, _ = find_folder(root, Layout("MARS", FOLDER_NAMES, ((*FOLDERS, *NAMES, *TRACKS, QUERIES),), TREE))
    train = _read_tracks(folder, 0, first=0)
    test = _read_tracks(folder, 1, first=len(train))
    queries = read_whole_numbers(folder / QUERIES, "query_IDX").ravel() - 1  # MATLAB counts from 1
    fit = [0 <= place < len(test) and bool(test[place]) for place in queries.tolist()]
    if not all(fit) or len(np.unique(queries)) < len(queries):
        raise ValueError(
            f"{folder / QUERIES} does not fit {folder / TRACKS[1]}: expected different tracks from 1 to "
            f"{len(test)}, none of them junk; take the lists of one release"
        )
    dataset = ReidDataset(
        tuple(chain.from_iterable(train)),
        tuple(chain.from_iterable(test[place] for place in queries.tolist())),
        tuple(chain.from_iterable(test)),
        "mars",
    )
    check_disjoint(dataset, str(folder))
    require_files([sample.path for sample in dataset.train + dataset.gallery], f"the lists of {folder}")
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _read_tracks(folder: Path, side: int, *, first: int) -> list[list[Sample]]:
    """Frames of each track of the training set (side 0) or the test set (side 1); empty for junk."""
    names_path, tracks_path = folder / NAMES[side], folder / TRACKS[side]
    names = [name for line in read_lines(names_path) for name in line.split()]
    tracks = read_whole_numbers(tracks_path, ("track_train_info", "track_test_info")[side], columns=4)
    start, end, pid, camera = tracks.T
    fits = (start >= 1) & (end >= start) & (end <= len(names)) & (pid >= JUNK_PID) & (camera >= 1)
    if not fits.all():
        row = int(np.flatnonzero(~fits)[0])
        raise ValueError(
            f"row {row + 1} of {tracks_path} reads {tracks[row].tolist()}: expected first and last line of a "
            f"track among the {len(names):,} of {names_path}, identity (-1 is junk) and camera from 1; take "
            "the lists of one release"
        )
    images = os.path.join(folder, FOLDERS[side])
    return [
        [] if row[2] == JUNK_PID else _read_track(names[row[0] - 1 : row[1]], row, images, number, names_path)
        for number, row in enumerate(tracks.tolist(), start=first)
    ]


def _read_track(
    names: Sequence[str], row: Sequence[int], images: str, number: int, names_path: Path
) -> list[Sample]:
    """Return the frames of one track; ValueError if their names do not give its identity and camera."""
    samples = []
    for name in names:
        match = _NAME.fullmatch(name)
        if match is None or [int(match[1]), int(match[2])] != row[2:]:
            raise ValueError(
                f"{names_path} names {name!r} where the track of identity {row[2]} in camera {row[3]} should "
                "be: expected a name such as 0001C1T0001F001.jpg; take the lists of one release"
            )
        path = os.path.join(images, match[1], name)
        samples.append(Sample(path, row[2], row[3] - 1, tracklet=number))
    return samples
