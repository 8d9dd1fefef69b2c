"""Find images that show the same after re-encoding, scaling or brightening, without comparing all pairs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_gl.data.loading.images import Image8

MAX_BITS = 10
"""Most bits in which the 128-bit codes of near-duplicates may differ.

Two such codes agree in at least one of NUM_BANDS = MAX_BITS + 1 bands.
"""

NUM_BANDS = MAX_BITS + 1

MAX_DIFFERENCE = 0.02
"""Largest value of one minus the correlation of two thumbnails that counts as the same image."""

MIN_CONTRAST = 4.0
"""Smallest standard deviation of a thumbnail's grey values; images with less cannot be told apart."""

MIN_STEP = 2
"""Difference of grey values above which a cell counts as brighter; smaller ones are background noise."""

THUMBNAIL_SIDE = 16
PAIRS_AT_ONCE = 1 << 20
CONFIRMED_AT_ONCE = 1 << 13

Ints: TypeAlias = NDArray[np.int64]
Sketch: TypeAlias = tuple[NDArray[np.uint64], Image8]
"""Code (2,) uint64 and thumbnail (16, 16) uint8 of one image: a row of Sketches."""


class Sketches(NamedTuple):
    """Perceptual hashes and thumbnails of M images, used to find near-duplicates.

    Attributes:
        codes: (M, 2) uint64, difference hash and cosine hash.
        thumbnails: (M, 16, 16) uint8 grey values.
    """

    codes: NDArray[np.uint64]
    thumbnails: Image8

    def take(self, rows: Sequence[int]) -> Sketches:
        """Return the sketches of the given rows, in the given order."""
        chosen = np.asarray(rows, dtype=np.int64)
        return Sketches(self.codes[chosen], self.thumbnails[chosen])


class Matches(NamedTuple):
    """K images of one set, each with its most similar image of another set.

    Attributes:
        left: (K,) int64 rows of the first set, ascending.
        right: (K,) int64 rows of the second set.
        differences: (K,) float32, 0 for images that are equal up to brightness and contrast.
    """

    left: Ints
    right: Ints
    differences: NDArray[np.float32]


def make_sketch(image: Image8) -> Sketch:
    """Compute two perceptual hashes and a thumbnail of an image.

    Each bit of the difference hash says whether one of 8 x 8 cells gets brighter to the right. Each bit of
    the cosine hash says whether one of the 8 x 8 lowest DCT coefficients lies above their median.

    Args:
        image: (H, W, 3) uint8 RGB of any size.

    Returns:
        (2,) uint64 and (16, 16) uint8: a row of Sketches.
    """
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    places = cv2.resize(grey, (9, 8), interpolation=cv2.INTER_AREA)
    steps = np.diff(places.astype(np.int16), axis=1)  # (8, 8)
    small = cv2.resize(grey, (32, 32), interpolation=cv2.INTER_AREA)
    frequencies = cv2.dct(small.astype(np.float32))[:8, :8]
    bits = np.stack((steps > MIN_STEP, frequencies > np.median(frequencies)))  # (2, 8, 8)
    thumbnail = cv2.resize(small, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    code = np.packbits(bits.reshape(2, 64), axis=1).view(np.uint64)[:, 0]
    return code, thumbnail.astype(np.uint8, copy=False)


def empty_sketch() -> Sketch:
    """Return the row of Sketches of an unreadable image; it has no contrast, so it matches nothing."""
    return np.zeros(2, dtype=np.uint64), np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE), dtype=np.uint8)


def stack_sketches(rows: Sequence[Sketch]) -> Sketches:
    """Stack the rows of M images, M >= 0."""
    codes = np.array([code for code, _ in rows], dtype=np.uint64).reshape(-1, 2)
    thumbnails = np.array([thumbnail for _, thumbnail in rows], dtype=np.uint8)
    return Sketches(codes, thumbnails.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE))


def find_near_duplicates(left: Sketches, right: Sketches) -> Matches:
    """For each image of one set, find its nearest near-duplicate in another set, if it has one.

    Two images are near-duplicates if both have at least MIN_CONTRAST, their codes differ in at most MAX_BITS
    bits, and their thumbnails, brought to the same mean and contrast, differ by at most MAX_DIFFERENCE.

    Only pairs that share one of the NUM_BANDS bands of the code are compared. Codes that differ in at most
    MAX_BITS bits always share a band, so no pair is missed. Cropped or mirrored copies are not found.

    Args:
        left: images to look for.
        right: images to search.

    Returns:
        One row for each image of `left` with a near-duplicate. Of several near-duplicates, the one with the
        smallest difference is returned; of equal ones, the first.
    """
    best = np.full(len(left.codes), np.inf, dtype=np.float32)
    match = np.full(len(left.codes), -1, dtype=np.int64)
    kept = tuple(np.flatnonzero(_has_contrast(side.thumbnails)) for side in (left, right))
    codes = left.codes[kept[0]], right.codes[kept[1]]
    for rows, columns in _close_pairs(*codes):
        pairs = kept[0][rows], kept[1][columns]
        differences = _thumbnail_differences(left.thumbnails, right.thumbnails, pairs)
        alike = differences <= MAX_DIFFERENCE
        _keep_best(best, match, pairs[0][alike], pairs[1][alike], differences[alike])
    found = np.flatnonzero(match >= 0)
    return Matches(found, match[found], best[found])


def _has_contrast(thumbnails: Image8) -> NDArray[np.bool_]:
    contrast = [thumbnail.std() for thumbnail in thumbnails]
    return np.asarray(contrast, dtype=np.float64) >= MIN_CONTRAST


def _close_pairs(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> Iterator[tuple[Ints, Ints]]:
    """Yield blocks of pairs of codes within MAX_BITS bits; a pair appears once for each band it shares."""
    for wanted, searched in zip(_bands(left), _bands(right), strict=True):
        order = np.argsort(searched, kind="stable")
        first = np.searchsorted(searched[order], wanted, side="left")
        counts = np.searchsorted(searched[order], wanted, side="right") - first
        for rows in _blocks(counts):
            here = np.repeat(rows, counts[rows])
            place = np.arange(len(here)) - np.repeat(np.cumsum(counts[rows]) - counts[rows], counts[rows])
            there = order[first[here] + place]
            close = _count_bits(left[here] ^ right[there]).sum(axis=1) <= MAX_BITS
            yield here[close], there[close]


def _bands(codes: NDArray[np.uint64]) -> list[Ints]:
    """Split each code into NUM_BANDS bands of 11 or 12 bits, returned as NUM_BANDS arrays of numbers (M,).

    A band takes every NUM_BANDS-th bit of the code. Neighbouring bits would be a poor choice: an empty
    background gives whole lines of zeros, so that many images would share such a band.
    """
    bits = np.unpackbits(np.ascontiguousarray(codes).view(np.uint8), axis=1)  # (M, 128)
    parts = [bits[:, band::NUM_BANDS] for band in range(NUM_BANDS)]
    return [part @ (1 << np.arange(part.shape[1])) for part in parts]


def _blocks(counts: Ints) -> Iterator[Ints]:
    """Yield the rows in order, in blocks of about PAIRS_AT_ONCE pairs but at least one row."""
    rows = np.flatnonzero(counts)
    group = np.cumsum(counts[rows]) // PAIRS_AT_ONCE
    yield from np.split(rows, np.flatnonzero(np.diff(group)) + 1)


def _count_bits(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Count the set bits of each word; numpy has a function for this only from version 2.0 on.

    Sums of bits are added in fields of 2, 4 and 8 bits; the multiplication adds the eight bytes.
    """
    ones = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
    count = words - ((words >> np.uint64(1)) & ones[0])
    count = (count & ones[1]) + ((count >> np.uint64(2)) & ones[1])
    count = (count + (count >> np.uint64(4))) & ones[2]
    sums: NDArray[np.uint64] = (count * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return sums.astype(np.int64)


def _thumbnail_differences(left: Image8, right: Image8, pairs: tuple[Ints, Ints]) -> NDArray[np.float32]:
    """Return one minus the correlation of each pair of thumbnails, (K,)."""
    differences = np.empty(len(pairs[0]), dtype=np.float32)
    for start in range(0, len(differences), CONFIRMED_AT_ONCE):
        part = slice(start, start + CONFIRMED_AT_ONCE)
        first, second = _standardize(left[pairs[0][part]]), _standardize(right[pairs[1][part]])
        differences[part] = 0.5 * np.square(first - second).mean(axis=1)
    return differences


def _standardize(thumbnails: Image8) -> NDArray[np.float32]:
    """Standardise thumbnails to grey values (K, 256) with mean 0 and standard deviation 1."""
    values = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values /= values.std(axis=1, keepdims=True)
    return values


def _keep_best(
    best: NDArray[np.float32], match: Ints, rows: Ints, columns: Ints, differences: NDArray[np.float32]
) -> None:
    """Update `best` and `match` in place with better pairs: smaller difference, then smaller column.

    Args:
        best: (L,) smallest difference of each left image so far.
        match: (L,) right image with this difference.
        rows: (K,) left images of new pairs.
        columns: (K,) right images of new pairs.
        differences: (K,) differences of new pairs.
    """
    order = np.lexsort((columns, differences, rows))
    rows, columns, differences = rows[order], columns[order], differences[order]
    first = np.diff(rows, prepend=-1) > 0
    rows, columns, differences = rows[first], columns[first], differences[first]
    better = (differences < best[rows]) | ((differences == best[rows]) & (columns < match[rows]))
    best[rows[better]], match[rows[better]] = differences[better], columns[better]
