"""Lists and reads folders that each hold the images of one class."""

from __future__ import annotations

import os
from pathlib import Path

from reid_gl.data.datasets.reading.entries import is_folder
from reid_gl.data.datasets.reading.folders import list_images
from reid_gl.records import Sample


def list_folders(folder: Path) -> list[str]:
    """Return the names of the folders in a folder, sorted; files and hidden folders are ignored.

    Args:
        folder: folder to search, not recursively.

    Returns:
        At least one name.

    Raises:
        FileNotFoundError: there is no folder, or a link is broken.
    """
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if not entry.name.startswith(".") and is_folder(entry))
    if not names:
        raise FileNotFoundError(
            f"no folder in {folder}: expected one for each class; unpack the data set again"
        )
    return names


def read_class_folder(folder: Path, pid: int) -> list[Sample]:
    """Read the samples of one class, sorted by file name, camera unknown; no image is opened.

    Args:
        folder: images of the class.
        pid: number of the class.

    Returns:
        At least one sample.

    Raises:
        FileNotFoundError: there is no image.
    """
    return [Sample(os.path.join(folder, name), pid) for name in list_images(folder)]
