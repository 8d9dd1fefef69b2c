"""What the page can ask: rows, images, searches and labels of a gallery, as plain values."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.data.loading.images import Image8, UnreadableImageError, decode_image
from reid_gl.gallery.browse.labels import Label, Labels
from reid_gl.gallery.browse.stored_images import StoredImages
from reid_gl.gallery.gallery import Gallery
from reid_gl.gallery.interface.sightings import Match, Sighting

Embed = Callable[[Image8], NDArray[np.float32]]
NUM_MATCHES, MAX_MATCHES, PAGE_ROWS, REASON = 48, 200, 60, "browse"


@dataclass(frozen=True)
class Choice:
    """How the user limits a search.

    Attributes:
        count: maximum number of matches.
        cameras: search only these; empty for all.
    """

    count: int = NUM_MATCHES
    cameras: tuple[int, ...] = ()


class Browser:
    """Answers the requests of the page; threads may share it.

    Args:
        gallery: an open gallery.
        images: the images of its rows.
        labels: the labels of pairs.
        embed: computes the feature (D,) of an image (H, W, 3) uint8 RGB; None without a network.
    """

    def __init__(self, gallery: Gallery, images: StoredImages, labels: Labels, embed: Embed | None) -> None:
        self._gallery, self._images, self.labels, self._embed = gallery, images, labels, embed
        self._shown: dict[int, Sighting] = {}  # so that not every image is a line of the audit log
        self._network = threading.Lock()  # one image at a time: dropping many must not fill the memory

    def overview(self) -> dict[str, Any]:
        """Return what the page shows of the whole gallery."""
        stats = self._gallery.stats()
        return {
            "rows": stats.num_rows,
            "identities": stats.num_identities,
            "cameras": [{"camera": one, "rows": count} for one, count in sorted(stats.cameras.items())],
            "has_network": self._embed is not None,
            "page_rows": PAGE_ROWS,
            "labels_file": str(self.labels.path),
        }

    def rows(self, *, camera: int | None, skip: int) -> list[dict[str, Any]]:
        """Return one page of rows, of a camera or all."""
        only = {} if camera is None else {"camera": camera}
        found = self._gallery.rows(skip=skip, count=PAGE_ROWS, **only)
        self._shown.update(found)
        return [_plain(row, sighting) for row, sighting in found]

    def crop(self, row: int) -> bytes:
        """Return the person of a row as a JPEG file; see StoredImages for errors."""
        return self._images.crop(self._sighting(row))

    def frame(self, row: int) -> bytes:
        """Return the whole image of a row as a JPEG file."""
        return self._images.frame(self._sighting(row))

    def search_row(self, row: int, choice: Choice) -> dict[str, Any]:
        """Search for the person of a row, without the row itself."""
        sighting = self._sighting(row)
        feature = self._gallery.features_of([row])[0]
        return self._search(feature, {**_plain(row, sighting), "query": f"row {row}"}, choice, [row])

    def search_image(self, data: bytes, name: str, choice: Choice) -> dict[str, Any]:
        """Search for the person on an image from elsewhere.

        Args:
            data: the encoded image; its size is checked before it is decoded.
            name: file name, for the labels.
            choice: limits of the search.

        Raises:
            ValueError: there is no network, or this is not an image.
        """
        if self._embed is None:
            raise ValueError("images need the network that filled the gallery: start browse with --weights")
        try:
            image = decode_image(data, name=name or "image")
        except UnreadableImageError as error:
            reason = str(error).partition(": ")[0]  # the advice after it is for files of a data set
            raise ValueError(f"{reason}: choose another image") from None
        with self._network:
            feature = self._embed(image)
        query = {"query": f"sha256:{hashlib.sha256(data).hexdigest()}", "name": name}
        return self._search(feature, query, choice, [])

    def label(self, query: str, query_name: str, row: int, value: str) -> None:
        """Store whether a query and a row show the same person; see Labels.add for errors."""
        if query.startswith("row "):
            query_name = self._sighting(int(query.removeprefix("row "))).path
        elif not query.startswith("sha256:"):
            raise ValueError(f"a query is a row or an image, got {query[:80]!r}")
        place = self._sighting(row)
        self.labels.add(
            Label(query, query_name, row, place.path, place.frame, place.camera, place.box, value)
        )

    def _search(
        self, feature: NDArray[np.float32], query: dict[str, Any], choice: Choice, without: list[int]
    ) -> dict[str, Any]:
        (answer,) = self._gallery.search(
            feature,
            choice.count,
            cameras=choice.cameras or None,
            exclude={"id": without} if without else (),
            reason=REASON,
        )
        self._shown.update((match.id, match.sighting) for match in answer)
        labels = self.labels.of_query(query["query"])
        return {"query": query, "matches": [_plain_match(match, labels) for match in answer]}

    def _sighting(self, row: int) -> Sighting:
        if row not in self._shown:
            found = self._gallery.rows(id=row, count=1)
            if not found:
                raise FileNotFoundError(f"the gallery has no row {row}")
            self._shown.update(found)
        return self._shown[row]


def _plain(row: int, sighting: Sighting) -> dict[str, Any]:
    return {
        "row": row,
        "camera": sighting.camera,
        "time": sighting.time,
        "tracklet": sighting.tracklet,
        "pid": sighting.pid,
        "frame": sighting.frame,
        "box": sighting.box,
        "name": os.path.basename(sighting.path),
    }


def _plain_match(match: Match, labels: dict[int, str]) -> dict[str, Any]:
    return {
        **_plain(match.id, match.sighting),
        "score": match.score,
        "probability": match.probability,
        "label": labels.get(match.id),
    }
