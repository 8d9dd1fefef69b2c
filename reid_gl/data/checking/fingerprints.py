"""Fingerprints of images: everything that a check needs, from reading each file once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.checking.near_duplicates import Sketch, Sketches, empty_sketch, make_sketch, stack_sketches
from reid_gl.data.loading.images import Image8, UnreadableImageError, crop_box, decode_image, read_image_bytes

Box: TypeAlias = tuple[int, int, int, int]
Picture: TypeAlias = tuple[str, Box | None]
"""An image file and the box of one sample in it; None for the whole image."""

Progress: TypeAlias = Callable[[int, int], None]

FILES_AT_ONCE = 32


@dataclass(frozen=True)
class Fingerprints:
    """Properties of M images, where an image is a file or a box in it.

    Attributes:
        pictures: the M different images, sorted by file.
        file_problems: M sentences, "" if the file could be read.
        box_problems: M sentences, "" if there is no box or it overlaps the image.
        is_cut: (M,) bool, whether the box lies partly outside the image.
        digests: M SHA-256 digests of the whole file; b"" if it could not be read.
        sizes: (M, 2) int64 width and height in pixels inside the box; 0 if there are no pixels.
        sketches: M sketches of the pixels inside the box; without contrast if there are no pixels.
    """

    pictures: tuple[Picture, ...]
    file_problems: tuple[str, ...]
    box_problems: tuple[str, ...]
    is_cut: NDArray[np.bool_]
    digests: tuple[bytes, ...]
    sizes: NDArray[np.int64]
    sketches: Sketches


@dataclass(frozen=True)
class _Finding:
    """One row of Fingerprints."""

    picture: Picture
    file_problem: str = ""
    box_problem: str = ""
    is_cut: bool = False
    digest: bytes = b""
    size: tuple[int, int] = (0, 0)
    sketch: Sketch = field(default_factory=empty_sketch)


def read_fingerprints(
    pictures: Sequence[Picture], *, progress: Progress | None = None, num_threads: int = 2
) -> Fingerprints:
    """Compute the fingerprints of images. Threads read each file once, even if it has many boxes.

    Args:
        pictures: images in any order; duplicates count once.
        progress: called with (done, total) in images.
        num_threads: number of threads that read files.

    Returns:
        One row for each different image. Unreadable files are reported there and raise no errors.
    """
    ordered = sorted(set(pictures), key=lambda picture: (picture[0], picture[1] or ()))
    files = [(path, list(group)) for path, group in groupby(ordered, key=itemgetter(0))]
    groups = [files[start : start + FILES_AT_ONCE] for start in range(0, len(files), FILES_AT_ONCE)]
    findings: list[_Finding] = []
    with ThreadPoolExecutor(num_threads) as pool:
        for part in pool.map(_read_files, groups):
            findings += part
            if progress is not None:
                progress(len(findings), len(ordered))
    return Fingerprints(
        pictures=tuple(ordered),
        file_problems=tuple(one.file_problem for one in findings),
        box_problems=tuple(one.box_problem for one in findings),
        is_cut=np.array([one.is_cut for one in findings], dtype=np.bool_),
        digests=tuple(one.digest for one in findings),
        sizes=np.array([one.size for one in findings], dtype=np.int64).reshape(-1, 2),
        sketches=stack_sketches([one.sketch for one in findings]),
    )


def _read_files(files: Sequence[tuple[str, list[Picture]]]) -> list[_Finding]:
    return [finding for path, pictures in files for finding in _read_file(path, pictures)]


def _read_file(path: str, pictures: Sequence[Picture]) -> Iterator[_Finding]:
    """Yield one finding for each image of a file."""
    try:
        data = read_image_bytes(path)
        image = decode_image(data, name=path)
    except (FileNotFoundError, UnreadableImageError) as error:
        yield from (_Finding(picture, file_problem=str(error)) for picture in pictures)
        return
    digest = hashlib.sha256(data).digest()
    for picture in pictures:
        yield _examine(picture, image, digest)


def _examine(picture: Picture, image: Image8, digest: bytes) -> _Finding:
    path, box = picture
    is_cut = False
    if box is not None:
        is_cut = min(box) < 0 or box[2] > image.shape[1] or box[3] > image.shape[0]
        try:
            image = crop_box(image, box, name=path)
        except ValueError as error:
            return _Finding(picture, box_problem=str(error), digest=digest)
    height, width = image.shape[:2]
    return _Finding(picture, is_cut=is_cut, digest=digest, size=(width, height), sketch=make_sketch(image))
