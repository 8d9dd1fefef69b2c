"""Training images decoded once into one memory-mapped file, which all processes share."""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
import shutil
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from reid_gl.data.loading.cache_format import CacheForm
from reid_gl.data.loading.images import Image8
from reid_gl.files import finished_or_nothing
from reid_gl.records import Sample

logger = logging.getLogger(__name__)

VERSION = 1
HEADER, INDEX, PICTURES = "header.json", "index.npy", "pictures.u8"
INTACT = "intact.txt"
"""Names the start of the machine since which the content has been checked."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
NUM_THREADS = 4
CHUNK = 256
"""Images decoded ahead of what is written."""


class DecodedCache:
    """Decoded images of samples, by the samples' order.

    The file is mapped, not read: what is asked for stays in the system's memory as long as there is room,
    once for all processes. Sent to another process, a cache opens its files again.

    Args:
        folder: the finished cache.
        checksum: what its header must say.

    Attributes:
        form: what is kept of each image, see CacheForm.to_dict.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not whole, or has another checksum.
    """

    def __init__(self, folder: Path, checksum: str) -> None:
        header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
        if header["checksum"] != checksum:
            raise ValueError(f"{folder} was made from other files than there are now")
        if (folder / PICTURES).stat().st_size != header["num_bytes"]:
            raise ValueError(f"{folder} is not whole, its images should take {header['num_bytes']} bytes")
        self._folder, self._checksum = folder, checksum
        self.form: dict[str, Any] = header["form"]
        self._index = np.load(folder / INDEX)  # (M, 3): offset, height, width
        self._bytes = np.memmap(folder / PICTURES, np.uint8, mode="r").view(np.ndarray)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> Image8:
        """Image (H, W, 3) uint8 RGB of a sample; cannot be written to."""
        offset, height, width = self._index[index].tolist()
        return self._bytes[offset : offset + height * width * 3].reshape(height, width, 3)

    def __reduce__(self) -> tuple[type[DecodedCache], tuple[Path, str]]:
        return DecodedCache, (self._folder, self._checksum)


def open_cache(folder: Path, samples: Sequence[Sample], form: CacheForm) -> DecodedCache:
    """The cache of some images, made first if there is none that fits.

    A cache has a folder of its own, named after the list of files and their form; if the size or the time
    of a file has changed since, it is made anew. It appears when it is whole.

    Args:
        folder: of all caches.
        samples: images, in their order.
        form: what is kept of them.

    Raises:
        ValueError: no images, or the folder is a file.
        OSError: not enough space, or the folder cannot be written to.
        FileNotFoundError, UnreadableImageError: an image cannot be read.
    """
    if not samples:
        raise ValueError("there are no images to decode into a cache")
    if folder.is_file():
        raise ValueError(
            f"decoded images are kept in a folder, and {folder} is a file: name another (DATA.CACHE)"
        )
    name, checksum = _identify(samples, form)
    target = folder / name
    try:
        cache = DecodedCache(target, checksum)
        _check_content(target)
        return cache
    except FileNotFoundError:
        logger.info("%s holds no decoded cache of these files and settings", folder)
    except (ValueError, KeyError, EOFError) as error:
        logger.info("the decoded cache cannot be used and is made anew: %s", error)
    shutil.rmtree(target, ignore_errors=True)
    _check_space(folder, len(samples), form)
    try:
        with finished_or_nothing(target) as unfinished:
            _write(unfinished, samples, form, checksum)
    except OSError:
        if not target.is_dir():
            raise
        logger.info("another process was faster: using its decoded cache")
    return DecodedCache(target, checksum)


def _identify(samples: Sequence[Sample], form: CacheForm) -> tuple[str, str]:
    """Name of the folder, by paths and form, and checksum, also by sizes and times of the files."""
    names = [[os.path.abspath(sample.path), sample.box] for sample in samples]
    subject = hashlib.sha256(json.dumps([VERSION, form.to_dict(), names]).encode())
    everything = subject.copy()
    everything.update(cv2.__version__.encode())  # which may decode to other pixels
    for sample in samples:
        try:
            status = os.stat(sample.path)
        except FileNotFoundError:
            raise FileNotFoundError(f"image {sample.path} does not exist") from None
        everything.update(f" {status.st_size} {status.st_mtime_ns}".encode())
    return subject.hexdigest()[:16], everything.hexdigest()


def _check_space(folder: Path, num_pictures: int, form: CacheForm) -> None:
    needed = num_pictures * form.estimate_bytes()
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"the decoded cache of {num_pictures} images needs {needed / 1e9:.2f} GB and {folder} has "
            f"{free / 1e9:.2f} GB free: make room, name another folder, or do without (DATA.CACHE empty)"
        )
    logger.info("decoding %d images into %s, about %.2f GB", num_pictures, folder, needed / 1e9)


def _write(folder: Path, samples: Sequence[Sample], form: CacheForm, checksum: str) -> None:
    index, offset = np.empty((len(samples), 3), np.int64), 0
    with (
        ThreadPoolExecutor(NUM_THREADS) as pool,
        (folder / PICTURES).open("wb") as file,
        tqdm(total=len(samples), unit="image", desc="decoding", disable=None) as bar,
    ):
        for start in range(0, len(samples), CHUNK):
            pictures = pool.map(form.keep, samples[start : start + CHUNK])
            for place, picture in enumerate(pictures, start):
                index[place] = offset, *picture.shape[:2]
                offset += picture.size
                file.write(np.ascontiguousarray(picture).data)
                bar.update()
    np.save(folder / INDEX, index)
    header = {"version": VERSION, "checksum": checksum, "form": form.to_dict(), "num_bytes": offset}
    header["content"] = _sum_content(folder)
    (folder / HEADER).write_text(f"{json.dumps(header, indent=2)}\n", encoding="utf-8")
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _check_content(folder: Path) -> None:
    """Read everything once after each start of the machine: a power loss may have left zeros.

    Raises:
        ValueError: the bytes are not those that were written.
        KeyError: an older version, which did not sum them.
    """
    started = BOOT_ID.read_text().strip() if BOOT_ID.is_file() else ""
    noted = folder / INTACT
    if started and noted.is_file() and noted.read_text(encoding="utf-8") == started:
        return
    header = json.loads((folder / HEADER).read_text(encoding="utf-8"))
    if _sum_content(folder) != header["content"]:
        raise ValueError(f"{folder} does not hold the bytes that were written, perhaps after a power loss")
    with contextlib.suppress(OSError):  # a cache that may only be read is checked every time
        noted.write_text(started, encoding="utf-8")


def _sum_content(folder: Path) -> int:
    """A checksum of index and images."""
    total = 0
    for name in (INDEX, PICTURES):
        with (folder / name).open("rb") as file:
            while block := file.read(2**22):
                total = zlib.crc32(block, total)
    return total
