"""Extracts the images from cuhk-03.mat, the single file in which CUHK03 was released."""

from __future__ import annotations

import json
import logging
import shutil
from pathlib import Path

import cv2
import h5py
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from reid_gl.data.datasets.reading.cuhk03_protocol import find_protocol
from reid_gl.files import finished_or_nothing
from reid_gl.untrusted.hdf5 import check_references, has_name, is_hdf5, open_hdf5, read_array, read_references
from reid_gl.untrusted.regular_file import why_no_file

logger = logging.getLogger(__name__)

MAT_NAME = "cuhk-03.mat"
IMAGES_FOLDER = "cuhk03_images"
MARKER = "cuhk03_images.json"
"""Written last: a folder that contains this file is complete."""

STYLES = ("labeled", "detected")
IMAGES_PER_VIEW = 5


def extract_cuhk03_images(
    mat_path: str | Path, out: str | Path | None = None, *, show_progress: bool = True
) -> Path:
    """Write the images inside cuhk-03.mat as PNG files, once; a complete earlier result is reused.

    Names are {pair}_{person}_{view}_{image}.png, all counted from 1 (images 1 to 5 are view 1, 6 to 10
    view 2), in the folders labeled and detected. Protocol files found nearby are copied along.
    Everything goes to a temporary folder next to the result and is renamed at the end.

    Args:
        mat_path: the original file, MATLAB 7.3 (HDF5); one image is in memory at a time.
        out: folder to write; None for cuhk03_images next to the file.
        show_progress: show a progress bar on stderr.

    Returns:
        The folder with the images.

    Raises:
        FileNotFoundError: no such file.
        FileExistsError: the folder to write holds something else.
        ValueError: the file is not the one of the CUHK03 release.

    Source: Li et al., "DeepReID: Deep Filter Pairing Neural Network for Person Re-identification", CVPR 2014.
    """
    mat_path = Path(mat_path).expanduser()
    out = mat_path.parent / IMAGES_FOLDER if out is None else Path(out).expanduser()
    if (out / MARKER).is_file():
        logger.info("images of CUHK03 were extracted before: %s", out)
        return out
    _check_paths(mat_path, out)
    with finished_or_nothing(out) as partial:
        _write(mat_path, partial, show_progress=show_progress)
        if out.is_dir():
            out.rmdir()  # empty; not every system renames onto an existing folder
    return out


def _check_paths(mat_path: Path, out: Path) -> None:
    if not mat_path.is_file():
        raise FileNotFoundError(
            f"{mat_path} {why_no_file(mat_path)}: expected {MAT_NAME} of the CUHK03 release"
        )
    if not is_hdf5(mat_path):
        raise ValueError(
            f"{mat_path} is not HDF5: expected {MAT_NAME} of the CUHK03 release (MATLAB 7.3); unpack it again"
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(
            f"{out} exists and is not a finished extraction: expected a new or empty folder; choose another "
            "one"
        )


def _write(mat_path: Path, folder: Path, *, show_progress: bool) -> None:
    """Write images, protocol files and, last, the marker."""
    num_images = dict.fromkeys(STYLES, 0)
    with open_hdf5(mat_path) as mat:
        cells = [(style, *cell) for style in STYLES for cell in _cells(mat, style)]
        for style in STYLES:
            (folder / style).mkdir(parents=True)
        for style, name, reference in tqdm(cells, desc="CUHK03", unit="image", disable=not show_progress):
            image = _image(mat, reference, f"{style} {name}")
            if image is not None:
                num_images[style] += 1
                _write_png(folder / style / name, image)
    for style in STYLES:
        protocol = find_protocol(mat_path.parent, style)
        if protocol is not None:
            shutil.copyfile(protocol, folder / protocol.name)
    (folder / MARKER).write_text(json.dumps({"source": mat_path.name, "images": num_images}) + "\n")


def _cells(mat: h5py.File, style: str) -> list[tuple[str, h5py.Reference]]:
    """Yield file name and reference of every cell; MATLAB's (people, 10) cells are stored as (10, people)."""
    if not has_name(mat, style):
        raise ValueError(f"{mat.filename} has no {style!r}: expected {MAT_NAME} of the CUHK03 release")
    cells = []
    for pair, pair_reference in enumerate(read_references(mat, style).ravel(), start=1):
        people = read_array(mat, pair_reference).T
        if people.ndim != 2 or people.shape[1] != 2 * IMAGES_PER_VIEW:
            raise ValueError(
                f"camera pair {pair} of {style!r} in {mat.filename} has shape {people.shape}: expected "
                f"(people, {2 * IMAGES_PER_VIEW}), as in {MAT_NAME} of the CUHK03 release"
            )
        check_references(people, f"camera pair {pair} of {style!r} in {mat.filename}")
        for (person, column), reference in np.ndenumerate(people):
            view = 1 + column // IMAGES_PER_VIEW
            cells.append((f"{pair}_{person + 1:03d}_{view}_{column + 1:02d}.png", reference))
    return cells


def _image(mat: h5py.File, reference: h5py.Reference, name: str) -> NDArray[np.uint8] | None:
    """Return (H, W, 3) uint8 RGB; None for an empty cell, which MATLAB stores as a list of its sizes."""
    stored = read_array(mat, reference) if reference else np.empty(0)
    if stored.ndim < 3 or stored.size == 0:
        return None
    if stored.shape[0] != 3 or stored.dtype != np.uint8:
        raise ValueError(
            f"{name} in {mat.filename} is {stored.dtype} of shape {stored.shape}: expected uint8 (3, W, H)"
        )
    image: NDArray[np.uint8] = np.ascontiguousarray(stored.T)  # axes are stored in reverse order
    return image


def _write_png(path: Path, image: NDArray[np.uint8]) -> None:
    _, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    path.write_bytes(data.tobytes())
