"""Contact sheet: rows of images on one HTML page, without other files, scripts or network access."""

from __future__ import annotations

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

THUMBNAIL_SIDE = 112
JPEG_QUALITY = 80

HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta name="generator" content="reid_gl">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; \
style-src 'unsafe-inline'">
<title>{title}</title>
<style>
body {{ font: 14px/1.4 system-ui, sans-serif; margin: 1.5em; color: #222; background: #fff; }}
h2 {{ margin-top: 2em; border-bottom: 1px solid #ccc; }}
h3 {{ margin: 1em 0 0.3em; font-size: 1em; overflow-wrap: anywhere; }}
figure {{ display: inline-block; margin: 0 6px 6px 0; vertical-align: top; max-width: 18em; }}
figcaption {{ font-size: 11px; color: #555; overflow-wrap: anywhere; }}
img {{ display: block; }}
.missing {{ width: 56px; height: 112px; background: #eee; border: 1px dashed #999; }}
pre {{ overflow-x: auto; }}
</style>
</head>
<body>
"""


@dataclass(frozen=True)
class SheetImage:
    """An image and its caption.

    Attributes:
        thumbnail: JPEG file from encode_thumbnail; b"" shows a placeholder.
        caption: one line below the image.
    """

    thumbnail: bytes
    caption: str


@dataclass(frozen=True)
class SheetRow:
    """Images side by side under a heading."""

    title: str
    images: tuple[SheetImage, ...]


@dataclass(frozen=True)
class SheetSection:
    """A section of the page.

    Attributes:
        title: heading of the section.
        lines: text above the rows, one paragraph per line.
        rows: rows of images.
    """

    title: str
    lines: tuple[str, ...] = ()
    rows: tuple[SheetRow, ...] = ()


def encode_thumbnail(image: NDArray[np.uint8]) -> bytes:
    """Encode an image as a small JPEG file; small images are never enlarged.

    Args:
        image: (H, W, 3) uint8 RGB.

    Returns:
        The JPEG file; its longer side has at most 112 pixels.
    """
    height, width = image.shape[:2]
    scale = min(1.0, THUMBNAIL_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    options = [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    _, data = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), options)
    return bytes(data)


def format_contact_sheet(title: str, table: str, sections: Sequence[SheetSection]) -> str:
    """Format the page.

    Args:
        title: heading of the page.
        table: preformatted text with aligned columns, shown first.
        sections: sections below the table.

    Returns:
        HTML; all text in the arguments is escaped, so it never acts as markup.
    """
    parts = [HEAD.format(title=_text(title)), f"<h1>{_text(title)}</h1>\n<pre>{_text(table)}</pre>\n"]
    for section in sections:
        parts.append(f"<h2>{_text(section.title)}</h2>\n")
        parts += [f"<p>{_text(line)}</p>\n" for line in section.lines]
        parts += [_format_row(row) for row in section.rows]
    return "".join([*parts, "</body>\n</html>\n"])


def _format_row(row: SheetRow) -> str:
    images = "".join(_format_image(image) for image in row.images)
    return f"<h3>{_text(row.title)}</h3>\n<div>{images}</div>\n"


def _format_image(image: SheetImage) -> str:
    caption = _text(image.caption)
    tag = '<div class="missing"></div>'
    if image.thumbnail:
        data = base64.b64encode(image.thumbnail).decode("ascii")
        tag = f'<img src="data:image/jpeg;base64,{data}" alt="{caption}">'
    return f"<figure>{tag}<figcaption>{caption}</figcaption></figure>"


def _text(text: str) -> str:
    """Escape text for HTML; bytes of file names that are not UTF-8 become visible escapes, not errors."""
    return html.escape(text.encode("utf-8", "backslashreplace").decode("utf-8"))
