"""Compute the features of some rows of a list, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from reid_gl.data.loading.images import Image8, UnreadableImageError, read_image
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.video import VideoEndsError, VideoReader
from reid_gl.inference.extractor.crops import cut_boxes
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor

UNREADABLE = (OSError, UnreadableImageError, VideoEndsError)
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
Texts = NDArray[np.str_]


class RowReader:
    """Reads the image of each row, in ascending order of rows; keeps the last image in memory.

    Args:
        crops: the list.
        skip: report images that cannot be read, instead of raising an error.
    """

    def __init__(self, crops: CropList, *, skip: bool) -> None:
        self.crops = crops
        self._skip = skip
        self._video = VideoReader(crops.video) if crops.video else None
        self._key: str | int = ""
        self._image: Image8 | None = None

    def try_cut(self, row: int) -> tuple[Image8 | None, str]:
        """Return the RGB crop of a row and "", or None and the reason if the image is skipped.

        The crop is None without a reason if the box does not overlap the image.
        """
        try:
            return self._cut(row), ""
        except UNREADABLE as error:
            if not self._skip:
                raise
            return None, str(error)

    def _cut(self, row: int) -> Image8 | None:
        key = int(self.crops.columns["frames"][row]) if self._video else self.crops.paths[row]
        if key != self._key or self._image is None:
            self._image = self._video.read(int(key)) if self._video else read_image(str(key))
            self._key = key
        if self.crops.boxes is None or np.isnan(self.crops.boxes[row]).all():
            return self._image
        return cut_boxes(self._image, self.crops.boxes[row : row + 1])[0]

    def close(self) -> None:
        """Close the video, if the rows are frames of one."""
        if self._video:
            self._video.close()


def embed_rows(
    extractor: FeatureExtractor,
    reader: RowReader,
    rows: range,
    batch_size: int,
    advance: Callable[[int], object] = lambda count: None,
) -> tuple[Floats, Flags, Texts]:
    """Compute the features of some rows.

    Args:
        extractor: computes the features; its colour order does not matter here.
        reader: reads the images.
        rows: the rows, in ascending order.
        batch_size: number of rows per batch.
        advance: called with the number of rows of each batch that is done.

    Returns:
        Features (rows, D), flags (rows,) and reasons (rows,). A row without an image has a feature of zeros
        and the flag False; its reason is "" if its box does not overlap its image.
    """
    features = np.zeros((len(rows), extractor.embedding_dim), np.float32)
    valid = np.zeros(len(rows), dtype=bool)
    reasons = [""] * len(rows)
    for first in range(0, len(rows), batch_size):
        places = range(first, min(first + batch_size, len(rows)))
        images = []
        for place in places:
            crop, reasons[place] = reader.try_cut(rows[place])
            valid[place] = crop is not None
            if crop is not None:  # resize immediately: a batch of whole frames would fill the memory
                images.append(Image.fromarray(extractor.preprocessing.resize(crop)))
        batch = slice(places.start, places.stop)
        features[batch][valid[batch]] = extractor(images)
        advance(len(places))
    return features, valid, np.array(reasons, dtype=np.str_)
