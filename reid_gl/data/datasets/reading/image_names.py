"""Reads labels from the file names of images."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path


def match_names(
    folder: Path, names: Sequence[str], pattern: re.Pattern[str], expected: str
) -> list[tuple[str, re.Match[str]]]:
    """Match the beginning of every file name with a pattern.

    Args:
        folder: folder of the images.
        names: their file names.
        pattern: regular expression for the beginning of every name.
        expected: the pattern in words and an example, for the message.

    Returns:
        Path and match of each name, in the order given.

    Raises:
        ValueError: a name does not match.
    """
    matches = [(name, pattern.match(name)) for name in names]
    strange = [name for name, match in matches if match is None]
    if strange:
        others = f" ({len(strange) - 1:,} more like it)" if len(strange) > 1 else ""
        raise ValueError(
            f"file name {strange[0]!r}{others} in {folder} does not say what it shows: "
            f"expected {expected}; rename the file or move it out of this folder"
        )
    return [(os.path.join(folder, name), match) for name, match in matches if match is not None]
