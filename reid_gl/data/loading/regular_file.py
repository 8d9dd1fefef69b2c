"""Reading a file that may be a pipe, a device, a folder, or far too large."""

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
    """All bytes of a regular file; its kind and size are looked at before it is opened.

    Args:
        path: the file, or a link to it.
        max_bytes: larger files are refused.

    Raises:
        FileNotFoundError: no such file.
        OSError: it may not be read.
        ValueError: a folder, a pipe, a device or a socket, which may have no end, or a file that is too
            large; the message continues a sentence that begins with the file's name.
    """
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise ValueError(f"is no file but {kind}: remove it or name a regular file")
    if status.st_size > max_bytes:
        raise ValueError(
            f"has {status.st_size:,} bytes, more than {max_bytes:,} are not read: remove it or shrink it"
        )
    return Path(path).read_bytes()
