"""The images of a report: their names, and the small copies that the page holds."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from reid_gl.data.loading.images import Image8, crop_box, read_image
from reid_gl.records import JUNK_PID, ReidDataset, Sample

HEIGHT, WIDTH = 96, 96
"""Thumbnails fit into this size; a person of 128 x 64 pixels becomes 96 x 48."""
QUALITY = 60
AT_ONCE = 256


def rows_of_sides(dataset: ReidDataset) -> tuple[list[Sample], list[Sample]]:
    """Return the sample behind each row of the features of query and gallery: of a track, its first frame."""
    gallery = [sample for sample in dataset.gallery if sample.pid != JUNK_PID]
    return _first_frames(dataset.query), _first_frames(gallery)


def _first_frames(samples: Sequence[Sample]) -> list[Sample]:
    seen: set[int] = set()
    rows = []
    for sample in samples:
        if sample.tracklet < 0 or sample.tracklet not in seen:
            rows.append(sample)
            seen.add(sample.tracklet)
    return rows


def describe_images(samples: Sequence[Sample]) -> dict[str, Any]:
    """Return names, identities and cameras of images; names are relative to the folder of all of them."""
    folder = os.path.commonpath([os.path.dirname(os.path.abspath(sample.path)) for sample in samples])
    return {
        "folder": folder,
        "names": [os.path.relpath(sample.path, folder).replace(os.sep, "/") for sample in samples],
        "pids": [sample.pid for sample in samples],
        "camids": [sample.camid for sample in samples],
    }


def make_thumbnails(
    samples: Sequence[Sample], order: Iterable[int], room: int
) -> tuple[list[bytes], list[int]]:
    """Make small copies of images until they fill their part of the page.

    Args:
        samples: M images.
        order: places among them, the most important first; a place may come several times.
        room: bytes of the page that they may take.

    Returns:
        The copies as WebP files, and for each image the number of its copy (M,), -1 for none: the image was
        not asked for, cannot be read any more, or there was no room.
    """
    wanted = list(dict.fromkeys(order))
    thumbnails: list[bytes] = []
    numbers = [-1] * len(samples)
    with (
        ThreadPoolExecutor(4) as pool,
        tqdm(total=len(wanted), unit="image", desc="thumbnails", disable=None) as bar,
    ):
        for start in range(0, len(wanted), AT_ONCE):
            places = wanted[start : start + AT_ONCE]
            for place, copy in zip(
                places, pool.map(_thumbnail_of, [samples[one] for one in places]), strict=True
            ):
                if copy and bytes_in_page(copy) <= room:
                    numbers[place] = len(thumbnails)
                    thumbnails.append(copy)
                    room -= bytes_in_page(copy)
            bar.update(len(places))
    return thumbnails, numbers


def bytes_in_page(thumbnail: bytes) -> int:
    """Return what a thumbnail takes of a page: base64, and one or two signs around it."""
    return 4 * -(-len(thumbnail) // 3) + 2


def _thumbnail_of(sample: Sample) -> bytes:
    try:
        image = read_image(sample.path)
        return encode_webp(image if sample.box is None else crop_box(image, sample.box, name=sample.path))
    except (OSError, ValueError):
        return b""


def encode_webp(image: Image8 | NDArray[np.uint8]) -> bytes:
    """Encode an image (H, W, 3) RGB as a small WebP file, which takes half the bytes of JPEG at this size."""
    height, width = image.shape[:2]
    scale = min(1.0, HEIGHT / height, WIDTH / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    _, data = cv2.imencode(
        ".webp", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_WEBP_QUALITY, QUALITY]
    )
    return bytes(data)
