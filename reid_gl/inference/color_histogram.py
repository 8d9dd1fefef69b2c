"""Baseline without learning: colour histograms of horizontal stripes of an image."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_gl.data.loading.cache_format import read_sample
from reid_gl.records import Features, Sample

HSV_LIMITS = (180.0, 256.0, 256.0)
BODY_SHARE = 0.12
"""Standard deviation of the Gaussian column weights, as a share of the image's width."""


def color_histogram(
    image: NDArray[np.uint8], *, bins: tuple[int, int, int] = (8, 4, 1), stripes: int = 12
) -> NDArray[np.float32]:
    """Hellinger-normalised HSV histogram of horizontal stripes.

    The dot product of two such vectors is the mean Bhattacharyya coefficient of their stripes. Pixels near
    the middle column have the largest weight, because they usually show the person and not the background.

    Args:
        image: (H, W, 3) uint8 RGB with at least as many rows as stripes.
        bins: number of bins of hue, saturation and value, each at least 1.
        stripes: number of stripes of equal height, at least 1.

    Returns:
        (stripes * product of bins,) float32 of norm 1, non-negative.

    Raises:
        ValueError: shape, bins or stripes are out of range.
    """
    if image.ndim != 3 or image.shape[2] != 3 or not 1 <= stripes <= image.shape[0]:
        raise ValueError(
            f"cannot cut an image of shape {image.shape} into {stripes} stripes of (H, W, 3) pixels"
        )
    if min(bins) < 1:
        raise ValueError(f"bins is {bins}: expected at least 1 each of hue, saturation and value")
    hsv = cv2.cvtColor(image, cv2.COLOR_RGB2HSV).astype(np.float64)
    cells = [
        np.minimum(hsv[..., i] * bins[i] / HSV_LIMITS[i], bins[i] - 1).astype(np.int64) for i in range(3)
    ]
    cell = (cells[0] * bins[1] + cells[1]) * bins[2] + cells[2]
    rows = np.arange(image.shape[0]) * stripes // image.shape[0]
    num_cells = bins[0] * bins[1] * bins[2]
    index = rows[:, None] * num_cells + cell
    weight = np.broadcast_to(_column_weights(image.shape[1]), index.shape)
    counts = np.bincount(index.ravel(), weight.ravel(), minlength=stripes * num_cells).reshape(
        stripes, num_cells
    )
    shares = counts / counts.sum(axis=1, keepdims=True)
    return np.asarray(np.sqrt(shares / stripes).ravel(), dtype=np.float32)


def _column_weights(width: int) -> NDArray[np.float64]:
    """Gaussian weights (width,) centred on the middle column."""
    position = (np.arange(width) + 0.5) / width - 0.5
    weights: NDArray[np.float64] = np.exp(-0.5 * (position / BODY_SHARE) ** 2)
    return weights


def extract_color_histograms(
    samples: Sequence[Sample], *, bins: tuple[int, int, int] = (8, 4, 1), stripes: int = 12
) -> Features:
    """Compute colour histograms of image files, cropped to their boxes; compare them by cosine similarity.

    Args:
        samples: M images.
        bins: number of bins of hue, saturation and value.
        stripes: number of stripes of equal height.

    Returns:
        Features with (M, stripes * product of bins) float32 embeddings of norm 1.

    Raises:
        ValueError: there are no samples; or see `color_histogram`.
    """
    if not samples:
        raise ValueError("cannot describe the colours of no samples: expected at least one")
    rows = [color_histogram(read_sample(sample), bins=bins, stripes=stripes) for sample in samples]
    return Features(
        embeddings=np.stack(rows),
        pids=np.array([sample.pid for sample in samples], dtype=np.int64),
        camids=np.array([sample.camid for sample in samples], dtype=np.int64),
        paths=tuple(sample.path for sample in samples),
    )
