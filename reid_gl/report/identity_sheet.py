"""Contact sheet of the identities in a video: some crops of each, from first to last."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_gl.data.loading.images import Image8
from reid_gl.report.annotated_frame import identity_color
from reid_gl.report.contact_sheet import (
    SheetImage,
    SheetRow,
    SheetSection,
    encode_thumbnail,
    format_contact_sheet,
)

NUM_CROPS = 12
"""Crops shown of each identity."""
BORDER = 4


def rows_to_show(identities: NDArray[np.int64]) -> dict[int, list[int]]:
    """Map each identity to up to 12 of its rows, evenly spread.

    Args:
        identities: (M,) identity of each box, 0 for nobody.
    """
    shown = {}
    for identity in range(1, int(identities.max(initial=0)) + 1):
        rows = np.flatnonzero(identities == identity)
        places = np.linspace(0, len(rows) - 1, min(len(rows), NUM_CROPS)).round().astype(int)
        shown[identity] = rows[places].tolist()
    return shown


def encode_crop(crop: Image8, identity: int) -> bytes:
    """Encode a crop (H, W, 3) uint8 RGB as a thumbnail with a border in the colour of its identity."""
    color = identity_color(identity)
    framed = cv2.copyMakeBorder(crop, *(BORDER,) * 4, cv2.BORDER_CONSTANT, value=color)
    return encode_thumbnail(np.asarray(framed, dtype=np.uint8))


def format_identity_sheet(
    name: str,
    facts: Sequence[str],
    *,
    frames: NDArray[np.int64],
    identities: NDArray[np.int64],
    tracklets: NDArray[np.int64],
    similarities: NDArray[np.float64],
    thumbnails: Mapping[int, bytes],
) -> str:
    """Return the page as HTML.

    Args:
        name: name of the video.
        facts: lines shown first.
        frames: (M,) frame of each box, ascending.
        identities: (M,) identity of each box, 0 for nobody.
        tracklets: (M,) tracklet of each box.
        similarities: (M,) cosine of each box and the mean feature of its identity.
        thumbnails: JPEG file of each row that is shown, from encode_crop.
    """
    sections = []
    for identity, rows in rows_to_show(identities).items():
        own = np.flatnonzero(identities == identity)
        parts = len(np.unique(tracklets[own]))
        counts = f"{_count(len(own), 'box', 'boxes')} in {_count(parts, 'tracklet', 'tracklets')}"
        line = (
            f"frames {frames[own[0]]} to {frames[own[-1]]}, {counts}, similarity "
            f"{similarities[own].mean():.2f} on average, {similarities[own].min():.2f} at least"
        )
        images = tuple(
            SheetImage(thumbnails.get(row, b""), f"frame {frames[row]}, {similarities[row]:.2f}")
            for row in rows
        )
        sections.append(SheetSection(f"Identity {identity}", rows=(SheetRow(line, images),)))
    return format_contact_sheet(f"People in {name}", "\n".join(facts), sections)


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
