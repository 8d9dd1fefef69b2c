"""What is kept of an image once it is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from reid_gl.data.loading.images import Image8, crop_box, read_image
from reid_gl.data.loading.transforms import Preprocessing, scale_shorter_side
from reid_gl.records import Sample

USUAL_ASPECT = 1.5
"""Longer over shorter side of images, when the space they take is estimated before any is opened."""


@dataclass(frozen=True)
class CacheForm:
    """Size of the images in a cache: as small as training allows.

    Attributes:
        preprocessing: size and kernel of the network's input, which is what is kept.
        for_crops: random parts will be cut out, so that whole images are kept instead, no larger than
            needed: the shorter side shrinks to that of the preprocessing, or to 8/7 of the input's size.
    """

    preprocessing: Preprocessing
    for_crops: bool = False

    def keep(self, sample: Sample) -> Image8:
        """Decode a sample's image and make it small: (H, W, 3) uint8 RGB."""
        image = read_sample(sample)
        if not self.for_crops:
            return self.preprocessing.resize(image, name=sample.path)
        if min(image.shape[:2]) <= self._side:
            return image
        return scale_shorter_side(image, self._side, kernel=self.preprocessing.kernel)

    def estimate_bytes(self) -> int:
        """Bytes of one image: exact, but for random crops, where it is that of a large one."""
        if self.for_crops:
            return round(3 * USUAL_ASPECT * self._side**2)
        return 3 * self.preprocessing.height * self.preprocessing.width

    def to_dict(self) -> dict[str, Any]:
        """All that decides about the pixels, as plain values."""
        values = self.preprocessing.to_dict()
        pixels = {name: values[name] for name in ("height", "width", "kernel", "shorter_side")}
        return {**pixels, "for_crops": self.for_crops}

    @property
    def _side(self) -> int:
        size = max(self.preprocessing.height, self.preprocessing.width)
        return self.preprocessing.shorter_side or round(size * 8 / 7)


def read_sample(sample: Sample) -> Image8:
    """Decode a sample's image, cut to its box: (H, W, 3) uint8 RGB."""
    image = read_image(sample.path)
    return image if sample.box is None else crop_box(image, sample.box, name=sample.path)
