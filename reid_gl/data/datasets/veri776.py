"""VeRi-776."""

from __future__ import annotations

import logging
import os
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.disjoint import check_disjoint
from reid_gl.data.datasets.reading.folders import Layout, find_folder
from reid_gl.data.datasets.reading.market_layout import read_market_folders
from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.data.loading.images import IMAGE_SUFFIXES
from reid_gl.records import ReidDataset, Sample

logger = logging.getLogger(__name__)

AGAIN = "take it from the data set again"
FOLDER_NAMES = ("VeRi", "VeRi776", "VeRi-776", "VeRi_776")
FOLDERS = ("image_train", "image_query", "image_test")
TRACKS = "test_track.txt"
PUBLISHED = SplitCounts(
    training_images=37_778,
    training_identities=576,
    query_images=1_678,
    query_identities=200,
    gallery_images=11_579,
)
TREE = f"""\
VeRi/
    image_train/      0001_c001_00016450_0.jpg … ({{vehicle}}_c{{camera}}_…)
    image_query/
    image_test/
    {TRACKS}    only for image to track"""


def load_veri776(root: str | Path, *, tracks: bool = False) -> ReidDataset:
    """Load VeRi-776; no image is opened.

    Args:
        root: the data folder, its parent, or a part of it.
        tracks: image to track: group the gallery's images into the tracks of test_track.txt, each with one
            vehicle in one camera. Otherwise every gallery image is searched separately.

    Returns:
        The data set, each part sorted by file name.

    Raises:
        FileNotFoundError: the folders or, with `tracks`, the list are missing.
        ValueError: an image name does not give vehicle and camera, a vehicle is in both training and test
            set, or the list of tracks does not fit the gallery.

    Source: Liu, Liu, Mei, Ma, "A Deep Learning-Based Approach to Progressive Vehicle Re-identification for
    Urban Surveillance", ECCV 2016; image to track: Liu, Liu, Mei, Ma, "PROVID: Progressive and Multimodal
    Vehicle Reidentification for Large-Scale Urban Surveillance", IEEE Transactions on Multimedia, 2018.
    """
    variant = (*FOLDERS, TRACKS) if tracks else FOLDERS
    folder, _ = find_folder(root, Layout("VeRi-776", FOLDER_NAMES, (variant,), TREE))
    dataset = read_market_folders(folder, FOLDERS, "veri776_tracks" if tracks else "veri776")
    check_disjoint(dataset, str(folder))
    check_counts(dataset, PUBLISHED, folder)
    if tracks:
        dataset = replace(dataset, gallery=_number_tracks(dataset, folder / TRACKS))
        _check_tracks(dataset.gallery, folder / TRACKS)
    return dataset


def _number_tracks(dataset: ReidDataset, path: Path) -> tuple[Sample, ...]:
    """Number the gallery's tracks by the lines of the list; a line may start with the name of its track."""
    numbers: dict[str, int] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        lines = [line.split() for line in file]
    for number, line in enumerate(filter(None, lines)):
        for name in line[not line[0].lower().endswith(IMAGE_SUFFIXES) :]:
            if numbers.setdefault(name, number) != number:
                raise ValueError(f"{path} has {name} in two tracks: expected each image in one; {AGAIN}")
    shown = {os.path.basename(sample.path) for sample in dataset.query + dataset.gallery}
    strange = [name for name in numbers if name not in shown]
    if strange:
        raise ValueError(f"{path} names {strange[0]!r}, which is not in {' or '.join(FOLDERS[1:])}; {AGAIN}")
    gallery = tuple(
        replace(sample, tracklet=numbers.get(os.path.basename(sample.path), -1)) for sample in dataset.gallery
    )
    alone = sum(sample.tracklet < 0 for sample in gallery)
    if alone:
        warn_once(logger, f"{path}: {alone:,} of {len(gallery):,} images have no track and stay single")
    return gallery


def _check_tracks(gallery: tuple[Sample, ...], path: Path) -> None:
    owners: dict[int, Sample] = {}
    for sample in gallery:
        owner = owners.setdefault(sample.tracklet, sample)
        if sample.tracklet >= 0 and (owner.pid, owner.camid) != (sample.pid, sample.camid):
            raise ValueError(
                f"{path} puts {os.path.basename(owner.path)} and {os.path.basename(sample.path)} into one "
                f"track: expected one vehicle in one camera; {AGAIN}"
            )
