"""What lies in a folder: images, folders, and links that lead nowhere, which are never left out unseen."""

from __future__ import annotations

import os
import stat

from reid_gl.data.loading.images import IMAGE_SUFFIXES


def is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder or leads to one.

    A link with the name of an image that leads nowhere counts as an image: whoever reads it says what is
    wrong with it.

    Raises:
        FileNotFoundError: any other link that leads nowhere, or to itself, or where we may not look.
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
    """Whether an entry has an image's name and is no folder.

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
    """Whether a name ends like an image's and is not hidden."""
    return entry.name.lower().endswith(IMAGE_SUFFIXES) and not entry.name.startswith(".")
