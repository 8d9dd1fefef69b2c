"""Classify folder entries as images or folders; broken links are never skipped silently."""

from __future__ import annotations

import os
import stat

from reid_gl.data.loading.images import IMAGE_SUFFIXES


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one.

    A broken link with the name of an image counts as an image: reading it reports what is wrong.

    Raises:
        FileNotFoundError: any other link is broken, leads to itself, or to a place without permission.
    """
    if not entry.is_symlink():
        return entry.is_dir()
    try:
        return stat.S_ISDIR(os.stat(entry.path).st_mode)
    except OSError as error:
        if has_image_name(entry):
            return False
        raise FileNotFoundError(
            f"link {entry.path} leads nowhere ({error.strerror}): mount the disk that it leads to, or "
            "remove it"
        ) from None


def is_image(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry has the name of an image and is not a folder.

    Raises:
        ValueError: a pipe, socket or device has the name of an image.
    """
    if not has_image_name(entry) or is_folder(entry):
        return False
    try:
        mode = entry.stat().st_mode
    except OSError:
        return True
    if not stat.S_ISREG(mode):
        raise ValueError(f"image {entry.path} is a pipe, socket or device: remove it")
    return True


def has_image_name(entry: os.DirEntry[str]) -> bool:
    """Return whether a name has an image's suffix and is not hidden."""
    return entry.name.lower().endswith(IMAGE_SUFFIXES) and not entry.name.startswith(".")
