"""Find images that are in both query and gallery, so that no image is matched with itself."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from reid_gl.records import JUNK_PID, Sample

Ints = NDArray[np.int64]
NO_COPY = -1
CHUNK = 1 << 20


def number_same_images(query: Sequence[Sample], gallery: Sequence[Sample]) -> tuple[Ints, Ints]:
    """Number the images so that the same image of one identity has the same number on both sides.

    Two samples are the same image if their boxes are equal and their files have the same path or the same
    bytes. Only files with the same identity and size are read for that. Frames of tracks always count as
    different images, because they are pooled.

    Args:
        query: Q samples.
        gallery: G samples.

    Returns:
        Numbers (Q,) and (G,); NO_COPY for an image that the other side does not contain.
    """
    numbers = np.full(len(query), NO_COPY), np.full(len(gallery), NO_COPY)
    queries_of: dict[int, list[int]] = defaultdict(list)
    for place, sample in enumerate(query):
        if sample.pid != JUNK_PID and sample.tracklet < 0:
            queries_of[sample.pid].append(place)
    gallery_of: dict[int, list[int]] = defaultdict(list)
    for place, sample in enumerate(gallery):
        if sample.pid in queries_of and sample.tracklet < 0:
            gallery_of[sample.pid].append(place)
    found = 0
    for pid, places in gallery_of.items():
        own = queries_of[pid]
        contents = _contents([query[place] for place in own], [gallery[place] for place in places])
        first = dict(zip(contents[0], range(found, found + len(own)), strict=True))
        shared = first.keys() & set(contents[1])
        for side, members, keys in ((0, own, contents[0]), (1, places, contents[1])):
            for place, key in zip(members, keys, strict=True):
                if key in shared:
                    numbers[side][place] = first[key]
        found += len(own)
    return numbers


def _contents(query: Sequence[Sample], gallery: Sequence[Sample]) -> tuple[list[object], list[object]]:
    """Return a comparable key for each sample; the same image has the same key."""
    sizes = [{sample.path: _num_bytes(sample.path) for sample in side} for side in (query, gallery)]
    common = set(sizes[0].values()) & set(sizes[1].values()) - {None}
    paths = {path for side in sizes for path, size in side.items() if size in common}
    same_path = sizes[0].keys() & sizes[1].keys()
    digests = {path: _digest(path) for path in paths} if paths - same_path else {}

    def content(sample: Sample) -> object:
        return digests.get(sample.path) or sample.path, sample.box

    return [content(sample) for sample in query], [content(sample) for sample in gallery]


def _num_bytes(path: str) -> int | None:
    """Return the size of a regular file; None for anything else, which is reported when images are loaded."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _digest(path: str) -> bytes:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.digest()
