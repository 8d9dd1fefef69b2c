"""The form in which decoded images are cached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reid_gl.data.loading.images import Image8, crop_box, read_image
from reid_gl.data.loading.transforms import Preprocessing, scale_shorter_side
from reid_gl.records import Sample

USUAL_ASPECT = 1.5
"""Longer / shorter side of an image that is assumed when disk space is estimated before any is opened."""


@dataclass(frozen=True)
class CacheForm:
    """Size of the images in a cache: as small as training allows.

    Attributes:
        preprocessing: size and kernel of the network's input. Images are cached in this size.
        for_crops: cache whole images, because training takes random crops of them. The shorter side of a
            larger image shrinks to preprocessing.shorter_side, or, if that is 0, to 8/7 of the larger side
            of the input.
    """

    preprocessing: Preprocessing
    for_crops: bool = False

    def keep(self, sample: Sample) -> Image8:
        """Decode a sample's image and shrink it to the cached size, (H, W, 3) uint8 RGB."""
        image = read_sample(sample)
        if not self.for_crops:
            return self.preprocessing.resize(image, name=sample.path)
        if min(image.shape[:2]) <= self._side:
            return image
        return scale_shorter_side(image, self._side, kernel=self.preprocessing.kernel)

    def estimate_bytes(self) -> int:
        """Return the bytes of one image; with `for_crops` an estimate from USUAL_ASPECT."""
        if self.for_crops:
            return round(3 * USUAL_ASPECT * self._side**2)
        return 3 * self.preprocessing.height * self.preprocessing.width

    def to_dict(self) -> dict[str, Any]:
        """Return all settings that affect the cached pixels, as plain values."""
        values = self.preprocessing.to_dict()
        pixels = {name: values[name] for name in ("height", "width", "kernel", "shorter_side")}
        return {**pixels, "for_crops": self.for_crops}

    @property
    def _side(self) -> int:
        size = max(self.preprocessing.height, self.preprocessing.width)
        return self.preprocessing.shorter_side or round(size * 8 / 7)


def read_sample(sample: Sample) -> Image8:
    """Decode a sample's image and crop it to its box, (H, W, 3) uint8 RGB."""
    image = read_image(sample.path)
    return image if sample.box is None else crop_box(image, sample.box, name=sample.path)
