"""The report of runs: one HTML page that holds everything it shows, and can be read back."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from reid_gl.untrusted.regular_file import quoted, why_no_file

FORMAT = "reid_gl/report/1"
TEMPLATE = "report.html"
THUMBNAILS_IN_BLOCK = 128
"""Thumbnails in one element of the page; only the elements of images that are shown are read."""
MAX_BYTES = 200_000_000
"""Larger files are no reports and are not read."""
DATA = re.compile(r'<script type="application/json" id="data">(.*?)</script>', re.DOTALL)
SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def format_report(title: str, data: dict[str, Any], thumbnails: Sequence[bytes]) -> str:
    """Format the page.

    Args:
        title: title of the page.
        data: what experiment.reporting.report collects; plain values, None for what is not a number.
        thumbnails: WebP files.

    Returns:
        HTML that needs no other file and no network: it forbids itself both. Text from files is escaped, and
        only this package's own script can run.
    """
    template = (files("reid_gl.report") / TEMPLATE).read_text(encoding="utf-8")
    found = SCRIPT.search(template)
    assert found is not None
    digest = base64.b64encode(hashlib.sha256(found[1].encode()).digest()).decode()
    page = {
        "@SCRIPT_HASH@": f"sha256-{digest}",
        "@TITLE@": html.escape(title.encode("utf-8", "backslashreplace").decode("utf-8")),
        "@DATA@": _as_json({"format": FORMAT, **data, "thumbnails_in_block": THUMBNAILS_IN_BLOCK}),
        "@THUMBNAILS@": "\n".join(_blocks(thumbnails)),
    }
    # in one pass, so that nothing in the data is taken for a place of the template
    return re.sub("|".join(page), lambda place: page[place[0]], template)


def read_report(path: Path) -> dict[str, Any]:
    """Return the data of a page that format_report made, without the thumbnails.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is no such page, or one of another version.
    """
    if not path.is_file():
        raise FileNotFoundError(f"report {path} {why_no_file(path)}: make it with reid-gl report")
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path} is too large for a report ({path.stat().st_size:,} bytes)")
    found = DATA.search(path.read_text(encoding="utf-8", errors="replace"))
    try:
        data = json.loads(found[1]) if found else None
    except (ValueError, RecursionError):  # ValueError: no JSON, or a number of thousands of digits
        data = None
    if not isinstance(data, dict) or "format" not in data:
        raise ValueError(f"{path} is no report: expected a page written by reid-gl report or test --report")
    if data["format"] != FORMAT:
        form = quoted(str(data["format"]))
        raise ValueError(
            f"{path} is a report of the form {form}, this version reads {FORMAT!r}: make it again"
        )
    return data


def _as_json(data: dict[str, Any]) -> str:
    """Format JSON in ASCII that no HTML parser takes for markup."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text


def _blocks(thumbnails: Sequence[bytes]) -> list[str]:
    blocks = []
    for start in range(0, len(thumbnails), THUMBNAILS_IN_BLOCK):
        some = thumbnails[start : start + THUMBNAILS_IN_BLOCK]
        lines = " ".join(base64.b64encode(one).decode("ascii") for one in some)
        blocks.append(f'<script type="text/plain" id="t{start // THUMBNAILS_IN_BLOCK}">{lines}</script>')
    return blocks
