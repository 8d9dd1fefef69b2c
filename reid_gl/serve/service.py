"""What the service does with a request that has passed all checks of the border."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

import numpy as np

from reid_gl.data.loading.images import Image8, UnreadableImageError
from reid_gl.gallery import DamagedGalleryError, Gallery, Match, Sighting
from reid_gl.gallery.searches import Search
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor, FrameFeatures
from reid_gl.serve.batcher import Batcher
from reid_gl.serve.lane import Lane
from reid_gl.serve.limits import Limits
from reid_gl.serve.metrics import Metrics
from reid_gl.serve.refusals import RefusedError
from reid_gl.serve.request_images import Crops, crop, decode_text

Boxes = Sequence[Sequence[float]]
MOST_DECODERS = 4
MATCHES_AT_ONCE = 2_048
"""Matches of searches that are done together: the rows of all of them are in memory at once."""


class Service:
    """A network and a gallery, used by many requests at once.

    Images are decoded in a few threads, the network and the search run in one each, on batches, and additions
    have one, so that neither waits for the other unless the gallery makes it.

    Args:
        extractor: the network.
        batch_size: images of a batch.
        reader: gallery to search.
        writer: gallery to add to, which may be the same; None if nothing is added.
        limits: limits of the service.
        metrics: counts the batches.
    """

    def __init__(
        self,
        extractor: FeatureExtractor,
        *,
        batch_size: int,
        reader: Gallery,
        writer: Gallery | None,
        limits: Limits,
        metrics: Metrics,
    ) -> None:
        self._extractor, self._metrics = extractor, metrics
        self._reader, self._writer, self._limits = reader, writer, limits
        self._embedding: Batcher[Image8, np.ndarray] = Batcher(
            "the network", "images", self._embed, batch_size=batch_size, most=limits.images
        )
        self._searching: Batcher[Search, list[Match]] = Batcher(
            "the search",
            "matches",
            reader.search_together,
            batch_size=MATCHES_AT_ONCE,
            most=limits.requests * limits.matches,
        )
        decoders = min(MOST_DECODERS, os.cpu_count() or 1)
        self._decoding = Lane("the decoder", threads=decoders, most=limits.requests)
        self._adding = Lane("the gallery", threads=1, most=limits.requests)

    @property
    def num_images_waiting(self) -> int:
        """Number of images that wait for the network."""
        return self._embedding.size_waiting

    async def features(
        self, image: str, boxes: Boxes | None, box_format: str, deadline: float
    ) -> FrameFeatures:
        """Return what FeatureExtractor.extract returns for an image in base64; no boxes: the whole image.

        Raises:
            RefusedError: image or boxes cannot be used, or the service is too busy.
        """
        if boxes is not None:
            self._check_count(len(boxes), "boxes")
        crops = await self._decoding.run(partial(self._crops, image, boxes, box_format), deadline)
        features = np.zeros((len(crops.valid), self._extractor.embedding_dim), np.float32)
        if crops.valid.any():
            features[crops.valid] = await self._embedding.run(crops.images, len(crops.images), deadline)
        return FrameFeatures(features, crops.valid)

    async def search(self, search: Search, deadline: float) -> list[Match]:
        """Return the rows nearest to the one query of a search.

        Raises:
            RefusedError: as features, or a filter is invalid.
            OSError, DamagedGalleryError: the gallery or its audit log fails.
        """
        if search.k > self._limits.matches:
            raise RefusedError(
                422, f"k is {search.k}, but an answer has at most {self._limits.matches} matches"
            )
        with client_mistakes():
            return await self._searching.run(search, search.k, deadline)

    async def add(
        self,
        features: np.ndarray,
        sightings: Sequence[Sighting],
        *,
        client: str,
        key: str | None,
        deadline: float,
    ) -> list[int]:
        """Add features (N, D), all or none, and return the numbers of the rows, which are on the disk.

        The same addition of the same client with the same key is done once; see Gallery.add.

        Raises:
            RefusedError: as features, features or sightings are invalid, or nothing may be added.
            OSError, DamagedGalleryError: the gallery fails; nothing was added.
        """
        self._check_count(len(sightings), "sightings")
        with client_mistakes():
            add = partial(
                self._writing().add,
                features,
                sightings,
                key=None if key is None else f"{client} {key}",
                user=client,
            )
            ids = await self._adding.run(add, deadline)
        return [int(number) for number in ids]

    async def apply_retention(self, deadline: float) -> int:
        """Delete rows that are older than the gallery keeps them, and return how many."""
        return await self._adding.run(self._writing().apply_retention, deadline)

    def close(self) -> None:
        """Finish what was started, then close the gallery."""
        for part in (self._decoding, self._embedding, self._searching, self._adding, self._reader):
            part.close()
        if self._writer is not None:
            self._writer.close()

    def _embed(self, parts: Sequence[Image8]) -> Iterator[tuple[int, np.ndarray]]:
        """Compute the features of several requests in one batch."""
        images = np.concatenate(parts)
        self._metrics.count_batch(len(images))
        ends = np.cumsum([len(part) for part in parts])
        yield from enumerate(np.split(self._extractor.embed(images), ends[:-1]))

    def _writing(self) -> Gallery:
        if self._writer is None:
            raise RefusedError(403, "this service only searches: nothing can be added")
        return self._writer

    def _crops(self, image: str, boxes: Boxes | None, box_format: str) -> Crops:
        with client_mistakes():
            return crop(decode_text(image), boxes, box_format, self._extractor.preprocessing)

    def _check_count(self, count: int, name: str) -> None:
        if count > self._limits.boxes:
            raise RefusedError(
                413,
                f"the request has {count:,} {name}, more than {self._limits.boxes}: send several requests",
            )


@contextmanager
def client_mistakes() -> Iterator[None]:
    """Turn errors about a client's values into refusals."""
    try:
        yield
    except DamagedGalleryError:
        raise
    except UnreadableImageError as error:
        raise RefusedError(400, str(error)) from None
    except (ValueError, TypeError) as error:
        raise RefusedError(422, str(error)) from None
