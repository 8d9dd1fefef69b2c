"""SYSU-MM01: infrared queries, visible galleries."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from reid_gl.data.datasets.reading.class_images import read_class_folder
from reid_gl.data.datasets.reading.folders import Layout, find_folder
from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.data.datasets.reading.sysu_draws import DRAWS_FILE, read_drawn_numbers
from reid_gl.records import ReidDataset, Sample
from reid_gl.untrusted.regular_file import quoted, read_lines

logger = logging.getLogger(__name__)

FOLDER_NAMES = ("SYSU-MM01", "SYSU_MM01", "sysu_mm01", "sysu")
CAMERAS = tuple(f"cam{number}" for number in range(1, 7))
PLACES = (0, 1, 1, 2, 3, 4)
"""Place of each camera: the second and the third stand in the same room."""
INFRARED, VISIBLE, INDOOR = ("cam3", "cam6"), ("cam1", "cam2", "cam4", "cam5"), ("cam1", "cam2")
ID_FILES = ("exp/train_id.txt", "exp/val_id.txt", "exp/test_id.txt")
NUM_DRAWS = 10
PUBLISHED = {"training images": 34_167, "training people": 395, "queries": 3_803, "test people": 96}
TREE = """\
SYSU-MM01/
    cam1/ … cam6/    0001/0001.jpg …  (a folder for each person; 3 and 6 are infrared)
    exp/             train_id.txt  val_id.txt  test_id.txt
                     rand_perm_cam.mat, the authors' draws, from their evaluation code"""


def load_sysu_mm01(root: str | Path, *, indoor: bool = False, num_shots: int = 1) -> ReidDataset:
    """Load SYSU-MM01 with the galleries of its ten draws; no image is opened.

    Training uses all images of the people in train_id and val_id. Queries are the infrared images of the test
    people. For each draw, every visible camera gives `num_shots` images of every test person: those of the
    authors' rand_perm_cam.mat if it is there, else our own draws (numpy's default generator, seeded with the
    number of the draw). `Sample.camid` is the place of the camera, so cameras 2 and 3 have the same.

    Args:
        root: the data folder, its parent, or a part of it.
        indoor: draw from cameras 1 and 2 only ("indoor search"); False draws from 4 and 5, too.
        num_shots: 1 ("single-shot") or more; all images if there are fewer.

    Returns:
        The data set; its gallery holds the images of all draws.

    Raises:
        FileNotFoundError: folders or files are missing.
        ValueError: a file of people is not a list of numbers, or the authors' draws are broken.

    Source: Wu, Zheng, Yu, Gong, Lai, "RGB-Infrared Cross-Modality Person Re-Identification", ICCV 2017.
    """
    folder, _ = find_folder(root, Layout("SYSU-MM01", FOLDER_NAMES, ((*CAMERAS, *ID_FILES),), TREE))
    train, validation, test = (_read_people(folder / name) for name in ID_FILES)
    training = _read(folder, CAMERAS, sorted({*train, *validation}))
    query = _read(folder, INFRARED, test)
    searched = INDOOR if indoor else VISIBLE
    pool = {(camera, pid): _read(folder, [camera], [pid]) for camera in searched for pid in test}
    chosen = _draw(folder, {key: samples for key, samples in pool.items() if samples}, num_shots)
    gallery = sorted({sample for draw in chosen for sample in draw}, key=lambda sample: sample.path)
    places = {sample: place for place, sample in enumerate(gallery)}
    name = f"sysu_mm01_{'indoor' if indoor else 'all'}{'' if num_shots == 1 else '_multi'}"
    draws = tuple(tuple(places[sample] for sample in draw) for draw in chosen)
    dataset = ReidDataset(training, query, tuple(gallery), name, draws=draws)
    _check_counts(dataset, folder)
    return dataset


def _read_people(path: Path) -> list[int]:
    """Return the sorted numbers of a file of people: one line, separated by commas."""
    text = ",".join(line.strip() for line in read_lines(path) if line.strip())
    if not re.fullmatch(r"\s*[1-9]\d{0,8}\s*(,\s*[1-9]\d{0,8}\s*)*,?", text):
        raise ValueError(
            f"{path} reads {quoted(text)}: expected the numbers of people, separated by commas; take it from "
            "the data set again"
        )
    return sorted({int(number) for number in text.split(",") if number.strip()})


def _read(folder: Path, cameras: Sequence[str], people: Sequence[int]) -> tuple[Sample, ...]:
    """Return the images of people in some cameras, by camera, person and name; not everybody is in each."""
    return tuple(
        Sample(sample.path, pid, PLACES[CAMERAS.index(camera)])
        for camera in cameras
        for pid in people
        if (own := folder / camera / f"{pid:04d}").is_dir()
        for sample in read_class_folder(own, pid)
    )


def _draw(
    folder: Path, pool: dict[tuple[str, int], tuple[Sample, ...]], num_shots: int
) -> list[list[Sample]]:
    """Return the images of each draw."""
    path = folder / "exp" / DRAWS_FILE
    if path.exists():
        numbers = read_drawn_numbers(path, list(pool), num_draws=NUM_DRAWS, num_shots=num_shots)
        return [
            [
                _numbered(pool[key], number, path)
                for key, own in zip(pool, draw, strict=True)
                for number in own
            ]
            for draw in numbers
        ]
    warn_once(
        logger,
        f"{path} is missing, so the {NUM_DRAWS} galleries are our own draws: scores differ from published "
        "ones by chance; take the file from the authors' evaluation code",
    )
    return [
        _draw_our_own(pool, np.random.default_rng(seed).permutation, num_shots) for seed in range(NUM_DRAWS)
    ]


def _draw_our_own(
    pool: dict[tuple[str, int], tuple[Sample, ...]], permute: Callable[[int], np.ndarray], num_shots: int
) -> list[Sample]:
    return [
        samples[place]
        for samples in pool.values()
        for place in sorted(permute(len(samples))[:num_shots].tolist())
    ]


def _numbered(samples: Sequence[Sample], number: int, path: Path) -> Sample:
    """Return the image with a number, which is its name."""
    for sample in samples:
        if os.path.splitext(os.path.basename(sample.path))[0] == f"{number:04d}":
            return sample
    raise ValueError(
        f"{path} draws image {number:04d} of {os.path.dirname(samples[0].path)}, which does not exist: take "
        "both from the same release"
    )


def _check_counts(dataset: ReidDataset, folder: Path) -> None:
    found = {
        "training images": len(dataset.train),
        "training people": len({sample.pid for sample in dataset.train}),
        "queries": len(dataset.query),
        "test people": len({sample.pid for sample in dataset.query}),
    }
    differences = [
        f"{found[name]:,} {name} (published {count:,})"
        for name, count in PUBLISHED.items()
        if found[name] != count
    ]
    if differences:
        warn_once(
            logger,
            f"{dataset.name}: {', '.join(differences)} in {folder}; the scores cannot be compared with "
            "published ones",
        )
