"""Read JSON files that may be damaged, of another kind, or far too large."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from reid_gl.untrusted.regular_file import read_regular_file

MAX_JSON_BYTES = 100_000_000
"""Maximum size in bytes of a JSON file."""


def read_json_object(path: Path, *, advice: str, max_bytes: int = MAX_JSON_BYTES) -> dict[str, Any]:
    """Read a file that holds one JSON object.

    Args:
        path: the file.
        advice: what to do if it cannot be read, the end of the message.
        max_bytes: larger files are refused.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not a regular file, too large, not JSON, or something else than an object.
    """
    content = read_regular_file(path, max_bytes=max_bytes)
    try:
        values = json.loads(content)
    except (ValueError, RecursionError) as error:  # of JSON or of UTF-8, or nested brackets
        raise ValueError(f"{path} is not JSON ({error}): {advice}") from None
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a JSON object but a {type(values).__name__}: {advice}")
    return values
