"""Digests of the rows of a list; rows with the same digest have the same images and boxes."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from reid_gl.inference.bulk.crop_lists import CropList


def digest_rows(crops: CropList, start: int, stop: int) -> str:
    """Compute a digest of everything that the features of the rows from start to stop depend on.

    Files enter by path, size and modification time, boxes by their corners. Other columns, such as
    identities, do not enter.

    Args:
        crops: the list.
        start: first row.
        stop: row after the last.

    Returns:
        SHA-256 as hexadecimal digits.
    """
    digest = hashlib.sha256(f"{stop - start}\n".encode())
    if crops.video is None:
        paths = crops.paths[start:stop]
        files = {path: _describe(path) for path in set(paths)}
        digest.update("\n".join(files[path] for path in paths).encode("utf-8", "surrogateescape"))
    else:
        digest.update(_describe(crops.video).encode("utf-8", "surrogateescape"))
        digest.update(crops.columns["frames"][start:stop].tobytes())
    if crops.boxes is not None:
        digest.update(b"boxes" + crops.boxes[start:stop].tobytes())
    return digest.hexdigest()


def _describe(path: str | Path) -> str:
    try:
        stat = os.stat(path)
    except OSError:
        return f"{path} is missing"
    return f"{path} {stat.st_size} {stat.st_mtime_ns}"
