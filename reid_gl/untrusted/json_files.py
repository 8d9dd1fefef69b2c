"""Read JSON files that may be damaged, of another kind, or far too large."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from reid_gl.untrusted.regular_file import quoted, read_regular_file, shortened

MAX_JSON_BYTES = 100_000_000
"""Maximum size in bytes of a JSON file."""
NO_NUMBER = re.compile(r"invalid literal|could not convert|too many values|not enough values")
"""Beginnings of what Python says of texts that are no numbers, and of lists of other lengths."""


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
    values = parse_json(read_regular_file(path, max_bytes=max_bytes), str(path), advice=advice)
    if not isinstance(values, dict):
        raise ValueError(f"{path} is not a JSON object but a {type(values).__name__}: {advice}")
    return values


def parse_json(content: bytes | str, source: str, *, advice: str) -> Any:  # noqa: ANN401 - whatever it holds
    """Parse JSON.

    Args:
        content: the text.
        source: its name in messages.
        advice: what to do if it cannot be parsed, the end of the message.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{source} is not JSON ({what_is_wrong(error)}): {advice}") from None


def what_is_wrong(error: Exception) -> str:
    """Return in plain words what an error says about the content of a file, mostly JSON."""
    if isinstance(error, json.JSONDecodeError):
        return f"wrong in line {error.lineno}, column {error.colno}"
    if isinstance(error, UnicodeDecodeError):
        return "no UTF-8 text"
    if isinstance(error, RecursionError):
        return "nested too deeply"
    if isinstance(error, KeyError):
        return f"it lacks {quoted(str(error.args[0]))}"
    if isinstance(error, OverflowError) or "Exceeds the limit" in str(error):
        return "a number in it is too large"
    if isinstance(error, TypeError | AttributeError | LookupError) or NO_NUMBER.match(str(error)):
        return "a value in it is of another kind than expected"
    return shortened(" ".join(str(error).split()))
