"""Find out how the frames in a MOT Challenge folder are named: number of digits, and suffix."""

from __future__ import annotations

import os
import re
from collections import Counter
from pathlib import Path

from reid_gl.data.loading.images import IMAGE_SUFFIXES

USUAL_DIGITS = 6
_NUMBERED = re.compile(r"([0-9]+)(\.[A-Za-z]+)")


def find_frame_names(folder: Path, suffix: str) -> tuple[int, str]:
    """Return the number of digits of the zero-padded frame numbers, and the suffix of the files.

    seqinfo.ini does not give the number of digits, which is 6 in MOT Challenge, 8 in DanceTrack and 7
    elsewhere. Its suffix may lack the dot or differ from that of the files.

    Args:
        folder: folder of the images; it may be missing.
        suffix: suffix in seqinfo.ini.

    Returns:
        The values of the files; without files, 6 and the given suffix with its dot.
    """
    suffix = suffix if suffix.startswith(".") else f".{suffix}"
    names = os.listdir(folder) if folder.is_dir() else []
    if f"{1:0{USUAL_DIGITS}d}{suffix}" in names:
        return USUAL_DIGITS, suffix
    numbered = [match.groups() for match in map(_NUMBERED.fullmatch, names) if match]
    for wanted in ((suffix.lower(),), IMAGE_SUFFIXES):
        found = [(len(digits), end) for digits, end in numbered if end.lower() in wanted]
        if found:
            return min(found)[0], Counter(end for _, end in found).most_common(1)[0][0]
    return USUAL_DIGITS, suffix
