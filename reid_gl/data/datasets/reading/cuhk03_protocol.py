"""The 767/700 split of CUHK03 for images extracted from the original release."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.datasets.reading.folders import require_files
from reid_gl.records import ReidDataset, Sample
from reid_gl.untrusted.matlab import read_matlab

FIELDS = ("filelist", "labels", "camId", "train_idx", "query_idx", "gallery_idx")


def protocol_name(style: str) -> str:
    """Return the name of the file that holds the split.

    Args:
        style: "labeled" or "detected".

    Returns:
        The authors' file name.
    """
    return f"cuhk03_new_protocol_config_{style}.mat"


def find_protocol(folder: Path, style: str) -> Path | None:
    """Find the protocol file in a folder or in the two folders above it.

    Args:
        folder: where the images or the original file are.
        style: "labeled" or "detected".

    Returns:
        The file; None if there is none.
    """
    absolute = Path(os.path.abspath(folder))
    places = (absolute, *absolute.parents[:2])
    return next(
        (place / protocol_name(style) for place in places if (place / protocol_name(style)).is_file()), None
    )


def load_extracted(folder: Path, style: str, name: str, *, image_folder: str = "") -> ReidDataset:
    """Split the extracted images by the protocol file; no image is opened.

    Args:
        folder: result of extract_cuhk03_images, or a folder of other programs.
        style: "labeled" or "detected".
        name: name of the data set in results.
        image_folder: name of the folder of images inside; by default the style.

    Returns:
        The data set, each part sorted by file name.

    Raises:
        FileNotFoundError: the protocol file, or images that it names, are missing.
        ValueError: the protocol file lacks the expected fields.
    """
    path = find_protocol(folder, style)
    if path is None:
        raise FileNotFoundError(
            f"{protocol_name(style)} is neither in {folder} nor in the two folders above it: it says which "
            "images are for training, query and gallery; copy it there (the project's data/README.md says "
            "where to get it)"
        )
    fields = _read_fields(path)
    samples = [
        Sample(os.path.join(folder, image_folder or style, str(file)), int(pid), int(camera) - 1)
        for file, pid, camera in zip(fields["filelist"], fields["labels"], fields["camId"], strict=True)
    ]
    train, query, gallery = (
        tuple(sorted((samples[index - 1] for index in fields[key]), key=lambda sample: sample.path))
        for key in FIELDS[3:]  # MATLAB counts from 1
    )
    require_files([sample.path for sample in train + query + gallery], str(path))
    return ReidDataset(train, query, gallery, name)


def _read_fields(path: Path) -> dict[str, NDArray[Any]]:
    """Return the six arrays of a protocol file; whole numbers as int64, so that no small type overflows."""
    content = read_matlab(path, FIELDS, squeeze=True)
    lacking = [key for key in FIELDS if key not in content]
    if lacking:
        raise ValueError(
            f"{path} lacks {', '.join(lacking)}: expected the protocol file of CUHK03-NP with the fields "
            f"{', '.join(FIELDS)}; take the file again from its authors"
        )
    fields = {key: np.atleast_1d(content[key]) for key in FIELDS}
    odd = [key for key in FIELDS[1:] if fields[key].dtype.kind not in "iuf" or fields[key].ndim != 1]
    odd += [FIELDS[0]] * (not all(isinstance(name, str) for name in fields[FIELDS[0]].ravel()))
    if odd or not all(fields[key].size and np.isfinite(fields[key]).all() for key in FIELDS[1:]):
        raise ValueError(
            f"{path} is damaged: expected names in {FIELDS[0]} and lists of numbers in "
            f"{', '.join(FIELDS[1:])}; take the file again from its authors"
        )
    fields |= {key: fields[key].astype(np.int64) for key in FIELDS[1:]}
    num_images = len(fields["filelist"])
    indices = np.concatenate([fields[key] for key in FIELDS[3:]])
    lengths = {key: len(fields[key]) for key in FIELDS[:3]}
    if len(set(lengths.values())) > 1 or indices.min() < 1 or indices.max() > num_images:
        raise ValueError(
            f"{path} does not fit together: expected filelist, labels and camId of one length and indices "
            f"from 1 to it, found lengths {lengths} and indices {indices.min()} to {indices.max()}; "
            "take the file again from its authors"
        )
    return fields
