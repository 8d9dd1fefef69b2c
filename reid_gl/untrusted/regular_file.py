"""Read paths that may be a pipe, a device, a folder, or a file that is far too large."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
MAX_TEXT_BYTES = 500_000_000
"""Maximum bytes of a list in a text file; the largest published ones have about 30 MB."""
MAX_LINE = 1_000_000
"""Maximum characters in a line of a text file."""
MAX_QUOTED = 200
"""Maximum characters of a file that a message quotes."""


def check_regular_file(path: str | Path, *, max_bytes: int, name: str = "") -> int:
    """Return the size of a regular file in bytes; nothing is opened.

    Other kinds are refused, because reading a pipe may block forever and reading a device may never end.

    Args:
        path: the file, or a link to it.
        max_bytes: larger files are refused.
        name: its name in messages; by default its path.

    Raises:
        FileNotFoundError: no such file.
        OSError: the path cannot be followed.
        ValueError: the path is a folder, a pipe, a device or a socket, or the file is too large.
    """
    name = name or str(path)
    status = Path(path).stat()
    if not stat.S_ISREG(status.st_mode):
        kind = KINDS.get(stat.S_IFMT(status.st_mode), "something else")
        raise ValueError(f"{name} is not a file but {kind}: remove it or give a regular file")
    if status.st_size > max_bytes:
        raise ValueError(
            f"{name} has {status.st_size:,} bytes, more than the limit of {max_bytes:,}: remove it "
            "or shrink it"
        )
    return status.st_size


def read_regular_file(path: str | Path, *, max_bytes: int, name: str = "") -> bytes:
    """Return all bytes of a regular file; arguments and errors as check_regular_file."""
    check_regular_file(path, max_bytes=max_bytes, name=name)
    return Path(path).read_bytes()


def read_lines(path: Path, *, max_bytes: int = MAX_TEXT_BYTES) -> Iterator[str]:
    """Yield the lines of a text file in UTF-8 one by one, with their ends and without a byte order mark.

    Args:
        path: the file.
        max_bytes: larger files are refused.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not regular, is too large, has another encoding, or a line of more than
            MAX_LINE characters.
    """
    check_regular_file(path, max_bytes=max_bytes)
    number = 0
    with path.open(newline="", encoding="utf-8-sig") as file:
        while True:
            try:
                line = file.readline(MAX_LINE + 1)
            except UnicodeDecodeError as error:
                raise ValueError(f"{path} is not UTF-8 text ({error.reason}): save it in UTF-8") from None
            if not line:
                return
            number += 1
            if len(line) > MAX_LINE:
                raise ValueError(
                    f"line {number} of {path} has more than {MAX_LINE:,} characters: it is broken, or not a "
                    "list"
                )
            yield line


def why_no_file(path: Path) -> str:
    """Return the end of a sentence that begins with a path where a file was expected."""
    try:
        kind = KINDS.get(stat.S_IFMT(path.stat().st_mode), "something else")
    except OSError:
        return "is a link to nothing" if path.is_symlink() else "does not exist"
    return f"is not a file but {kind}"


def quoted(text: str) -> str:
    """Return text of a file in quotes, shortened if it is long, for a message."""
    return repr(shortened(text))


def shortened(text: str) -> str:
    """Return the beginning of a text that may be very long."""
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."
