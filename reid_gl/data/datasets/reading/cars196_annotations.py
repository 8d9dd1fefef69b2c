"""Reads the MATLAB files of Cars-196 with the class of each image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.datasets.reading.image_lists import AGAIN, place_inside
from reid_gl.records import Sample
from reid_gl.untrusted.matlab import read_matlab

NUM_CLASSES = 196


def read_annotations(path: Path, folder: Path, path_field: str) -> list[Sample]:
    """Read the samples of an annotation file, in its order; no image is opened.

    Args:
        path: file with a struct array "annotations".
        folder: folder that its paths are relative to.
        path_field: the field with the path of the image; the field "class" holds its class, from 1.

    Returns:
        One sample for each annotation.

    Raises:
        ValueError: the struct is missing, a path leaves the folder, or a class is not 1 to 196.
    """
    annotations = _read_struct(path, (path_field, "class"))
    samples = []
    for number, (name, value) in enumerate(
        zip(annotations[path_field], annotations["class"], strict=True), start=1
    ):
        where = f"annotation {number} of {path}"
        if not isinstance(name, str):
            raise ValueError(f"{where} has the {path_field} {name!r}: expected the name of an image; {AGAIN}")
        if not isinstance(value, int | float | np.integer) or value not in range(1, NUM_CLASSES + 1):
            raise ValueError(
                f"{where} has the class {value!r}: expected a number from 1 to {NUM_CLASSES}; {AGAIN}"
            )
        samples.append(Sample(place_inside(folder, name, where), int(value)))
    return samples


def _read_struct(path: Path, fields: tuple[str, ...]) -> NDArray[Any]:
    """Return the struct array "annotations" (M,), which must have these fields."""
    content = read_matlab(path, ["annotations"], squeeze=True)
    annotations = np.atleast_1d(content.get("annotations", ()))
    if not set(fields) <= set(annotations.dtype.names or ()):
        raise ValueError(
            f"{path} lacks a struct array 'annotations' with the fields {' and '.join(fields)}: "
            f"{AGAIN} (for test images, the one with labels)"
        )
    return annotations
