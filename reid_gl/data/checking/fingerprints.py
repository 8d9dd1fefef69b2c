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
ImageKey: TypeAlias = tuple[str, Box | None]
"""An image file and the box of one sample in it; None for the whole image."""

Progress: TypeAlias = Callable[[int, int], None]

FILES_AT_ONCE = 32


@dataclass(frozen=True)
class Fingerprints:
    """Properties of M images, where an image is a file or a box in it.

    Attributes:
        images: the M different images, sorted by file.
        file_problems: M sentences, "" if the file could be read.
        box_problems: M sentences, "" if there is no box or it overlaps the image.
        is_cut: (M,) bool, whether the box lies partly outside the image.
        digests: M SHA-256 digests of the whole file; b"" if it could not be read.
        sizes: (M, 2) int64 width and height in pixels inside the box; 0 if there are no pixels.
        sketches: M sketches of the pixels inside the box; without contrast if there are no pixels.
    """

    images: tuple[ImageKey, ...]
    file_problems: tuple[str, ...]
    box_problems: tuple[str, ...]
    is_cut: NDArray[np.bool_]
    digests: tuple[bytes, ...]
    sizes: NDArray[np.int64]
    sketches: Sketches


@dataclass(frozen=True)
class _Finding:
    """One row of Fingerprints."""

    key: ImageKey
    file_problem: str = ""
    box_problem: str = ""
    is_cut: bool = False
    digest: bytes = b""
    size: tuple[int, int] = (0, 0)
    sketch: Sketch = field(default_factory=empty_sketch)


def read_fingerprints(
    images: Sequence[ImageKey], *, progress: Progress | None = None, num_threads: int = 2
) -> Fingerprints:
    """Compute the fingerprints of images. Threads read each file once, even if it has many boxes.

    Args:
        images: images in any order; duplicates count once.
        progress: called with (done, total) in images.
        num_threads: number of threads that read files.

    Returns:
        One row for each different image. Unreadable files are reported there and raise no errors.
    """
    ordered = sorted(set(images), key=lambda key: (key[0], key[1] or ()))
    files = [(path, list(group)) for path, group in groupby(ordered, key=itemgetter(0))]
    groups = [files[start : start + FILES_AT_ONCE] for start in range(0, len(files), FILES_AT_ONCE)]
    findings: list[_Finding] = []
    with ThreadPoolExecutor(num_threads) as pool:
        for part in pool.map(_read_files, groups):
            findings += part
            if progress is not None:
                progress(len(findings), len(ordered))
    return Fingerprints(
        images=tuple(ordered),
        file_problems=tuple(one.file_problem for one in findings),
        box_problems=tuple(one.box_problem for one in findings),
        is_cut=np.array([one.is_cut for one in findings], dtype=np.bool_),
        digests=tuple(one.digest for one in findings),
        sizes=np.array([one.size for one in findings], dtype=np.int64).reshape(-1, 2),
        sketches=stack_sketches([one.sketch for one in findings]),
    )


def _read_files(files: Sequence[tuple[str, list[ImageKey]]]) -> list[_Finding]:
    return [finding for path, images in files for finding in _read_file(path, images)]


def _read_file(path: str, images: Sequence[ImageKey]) -> Iterator[_Finding]:
    """Yield one finding for each image of a file."""
    try:
        data = read_image_bytes(path)
        image = decode_image(data, name=path)
    except (FileNotFoundError, UnreadableImageError) as error:
        yield from (_Finding(key, file_problem=str(error)) for key in images)
        return
    digest = hashlib.sha256(data).digest()
    for key in images:
        yield _examine(key, image, digest)


def _examine(key: ImageKey, image: Image8, digest: bytes) -> _Finding:
    path, box = key
    is_cut = False
    if box is not None:
        is_cut = min(box) < 0 or box[2] > image.shape[1] or box[3] > image.shape[0]
        try:
            image = crop_box(image, box, name=path)
        except ValueError as error:
            return _Finding(key, box_problem=str(error), digest=digest)
    height, width = image.shape[:2]
    return _Finding(key, is_cut=is_cut, digest=digest, size=(width, height), sketch=make_sketch(image))
