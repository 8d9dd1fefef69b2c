"""Reading of a file that may turn out to be a pipe, a device, a folder, or far too large."""

from __future__ import annotations

import stat
from pathlib import Path

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def read_regular_file(path: str | Path, *, max_bytes: int) -> bytes:
    """Read all bytes of a regular file, after checking its kind and size.

    Args:
        path: the file, or a link to it.
        max_bytes: larger files are refused.

    Raises:
        FileNotFoundError: there is no such file.
        OSError: the file cannot be read.
        ValueError: the path is a folder, or a pipe, device or socket, which may never end; or the file is too
            large. The message continues a sentence that begins with the file's name.
    """
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise ValueError(f"is not a file but {kind}: remove it or give a regular file")
    if status.st_size > max_bytes:
        raise ValueError(
            f"has {status.st_size:,} bytes, more than the limit of {max_bytes:,}: remove it or shrink it"
        )
    return Path(path).read_bytes()
