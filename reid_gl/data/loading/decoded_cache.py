"""Cache of decoded training images in one memory-mapped file that all processes share."""

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
from reid_gl.files import finished_or_nothing, make_folder
from reid_gl.records import Sample
from reid_gl.untrusted.json_files import read_json_object
from reid_gl.untrusted.npz import read_npy
from reid_gl.untrusted.regular_file import why_no_file

logger = logging.getLogger(__name__)

VERSION = 1
HEADER, INDEX, IMAGES = "header.json", "index.npy", "pictures.u8"
INTACT = "intact.txt"
"""File that holds the boot id of the machine under which the content was last checked."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
NUM_THREADS = 4
CHUNK = 256
"""Number of images that are decoded before they are written."""


class DecodedCache:
    """Decoded images, in the order of the samples.

    The file is memory-mapped: the operating system keeps used pages in its page cache, once for all
    processes. A cache can be pickled to another process, which opens the files again.

    Args:
        folder: folder of a finished cache.
        checksum: checksum that the cache's header must contain.

    Attributes:
        form: size and form of the cached images, see CacheForm.to_dict.

    Raises:
        FileNotFoundError: there is no cache in the folder.
        ValueError: the cache is incomplete, or has another checksum.
    """

    def __init__(self, folder: Path, checksum: str) -> None:
        header = _read_header(folder)
        if header["checksum"] != checksum:
            raise ValueError(f"{folder} was made from other versions of the image files")
        if (folder / IMAGES).stat().st_size != header["num_bytes"]:
            raise ValueError(f"{folder} is incomplete, its images should take {header['num_bytes']} bytes")
        self._folder, self._checksum = folder, checksum
        self.form: dict[str, Any] = header["form"]
        self._index = read_npy(folder / INDEX)  # (M, 3): offset, height, width
        self._bytes = np.memmap(folder / IMAGES, np.uint8, mode="r").view(np.ndarray)

    def __len__(self) -> int:
        return len(self._index)

    def __getitem__(self, index: int) -> Image8:
        """Return the image of a sample, a read-only (H, W, 3) uint8 RGB array."""
        offset, height, width = self._index[index].tolist()
        return self._bytes[offset : offset + height * width * 3].reshape(height, width, 3)

    def __reduce__(self) -> tuple[type[DecodedCache], tuple[Path, str]]:
        return DecodedCache, (self._folder, self._checksum)


def open_cache(folder: Path, samples: Sequence[Sample], form: CacheForm) -> DecodedCache:
    """Open the cache of a list of images, and make it first if there is no valid one.

    Each cache has its own folder, named by a hash of the list of files and the form. If the size or the
    modification time of a file has changed since, the cache is made again. Its folder appears only when it
    is complete.

    Args:
        folder: folder that holds all caches.
        samples: images to cache, in this order.
        form: size and form of the cached images.

    Raises:
        ValueError: there are no images, or the folder is a file.
        OSError: there is not enough disk space, or the folder cannot be written to.
        FileNotFoundError, UnreadableImageError: an image cannot be read.
    """
    if not samples:
        raise ValueError("there are no images to decode into a cache")
    if folder.is_file():
        raise ValueError(
            f"decoded images are kept in a folder, but {folder} is a file: choose a folder (DATA.CACHE)"
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
        logger.info("the decoded cache cannot be used and is made again: %s", error)
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
    """Return the folder's name, from paths and form, and a checksum that includes file sizes and times."""
    names = [[os.path.abspath(sample.path), sample.box] for sample in samples]
    subject = hashlib.sha256(json.dumps([VERSION, form.to_dict(), names]).encode())
    everything = subject.copy()
    everything.update(cv2.__version__.encode())  # another version may decode to other pixels
    for sample in samples:
        try:
            status = os.stat(sample.path)
        except FileNotFoundError:
            raise FileNotFoundError(f"image {sample.path} {why_no_file(Path(sample.path))}") from None
        everything.update(f" {status.st_size} {status.st_mtime_ns}".encode())
    return subject.hexdigest()[:16], everything.hexdigest()


def _check_space(folder: Path, num_images: int, form: CacheForm) -> None:
    needed = num_images * form.estimate_bytes()
    make_folder(folder)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise OSError(
            f"the decoded cache of {num_images} images needs {needed / 1e9:.2f} GB and {folder} has "
            f"{free / 1e9:.2f} GB free: free some space, choose another folder, or turn the cache off "
            "(DATA.CACHE empty)"
        )
    logger.info("decoding %d images into %s, about %.2f GB", num_images, folder, needed / 1e9)


def _write(folder: Path, samples: Sequence[Sample], form: CacheForm, checksum: str) -> None:
    index, offset = np.empty((len(samples), 3), np.int64), 0
    with (
        ThreadPoolExecutor(NUM_THREADS) as pool,
        (folder / IMAGES).open("wb") as file,
        tqdm(total=len(samples), unit="image", desc="decoding", disable=None) as bar,
    ):
        for start in range(0, len(samples), CHUNK):
            images = pool.map(form.keep, samples[start : start + CHUNK])
            for place, image in enumerate(images, start):
                index[place] = offset, *image.shape[:2]
                offset += image.size
                file.write(np.ascontiguousarray(image).data)
                bar.update()
    np.save(folder / INDEX, index)
    header = {"version": VERSION, "checksum": checksum, "form": form.to_dict(), "num_bytes": offset}
    header["content"] = _sum_content(folder)
    (folder / HEADER).write_text(f"{json.dumps(header, indent=2)}\n", encoding="utf-8")
    for path in folder.iterdir():
        with path.open("rb") as file:
            os.fsync(file.fileno())


def _check_content(folder: Path) -> None:
    """Verify the content once after each boot, because a power loss may have replaced data by zeros.

    Raises:
        ValueError: the bytes are not those that were written.
        KeyError: the cache was written by an older version, without a checksum of the content.
    """
    started = BOOT_ID.read_text().strip() if BOOT_ID.is_file() else ""
    noted = folder / INTACT
    if started and noted.is_file() and noted.read_text(encoding="utf-8") == started:
        return
    header = _read_header(folder)
    if _sum_content(folder) != header["content"]:
        raise ValueError(f"{folder} does not hold the bytes that were written, perhaps after a power loss")
    with contextlib.suppress(OSError):  # a read-only cache is checked every time
        noted.write_text(started, encoding="utf-8")


def _read_header(folder: Path) -> dict[str, Any]:
    return read_json_object(folder / HEADER, advice="it is damaged")


def _sum_content(folder: Path) -> int:
    """Return a checksum of the index and the images."""
    total = 0
    for name in (INDEX, IMAGES):
        with (folder / name).open("rb") as file:
            while block := file.read(2**22):
                total = zlib.crc32(block, total)
    return total
