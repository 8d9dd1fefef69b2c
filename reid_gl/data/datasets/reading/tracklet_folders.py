"""Reads a folder of frames for each person in each of two cameras: PRID 2011 and i-LIDS-VID."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from reid_gl.data.datasets.reading.entries import is_folder
from reid_gl.data.datasets.reading.folders import list_images
from reid_gl.records import Sample

_FOLDER = re.compile(r"person_?0*([1-9]\d*)")


def list_people(camera: Path) -> dict[int, Path]:
    """Return a camera's person folders by number, in ascending order; hidden folders are ignored.

    Args:
        camera: folder with the folders person001 or person_0001, ….

    Returns:
        Folder of each person.

    Raises:
        ValueError: a folder has another name, or two have the same person.
    """
    people: dict[int, Path] = {}
    with os.scandir(camera) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and is_folder(entry))
    for name in names:
        match = _FOLDER.fullmatch(name)
        if match is None or int(match[1]) in people:
            raise ValueError(
                f"folder {name!r} in {camera} names no person, or the same as another folder: expected one "
                "folder for each person, such as person001; rename it or move it out of this folder"
            )
        people[int(match[1])] = camera / name
    return dict(sorted(people.items()))


def read_sequences(
    cameras: Sequence[Mapping[int, Path]], people: Sequence[int], *, min_frames: int = 1
) -> list[Sample]:
    """Read all frames of people with long enough sequences in every camera; no image is opened.

    Args:
        cameras: folder of each person, from list_people, for cameras 0, 1, ….
        people: numbers of people that all cameras have.
        min_frames: people with a shorter sequence in any camera are left out.

    Returns:
        Frames by camera, person and file name; tracks are numbered from 0 in that order.

    Raises:
        FileNotFoundError: a folder has no image.
    """
    frames = {person: [list_images(camera[person]) for camera in cameras] for person in sorted(people)}
    kept = [person for person in frames if min(map(len, frames[person])) >= min_frames]
    return [
        Sample(os.path.join(camera[person], name), person, camid, tracklet=camid * len(kept) + place)
        for camid, camera in enumerate(cameras)
        for place, person in enumerate(kept)
        for name in frames[person][camid]
    ]
