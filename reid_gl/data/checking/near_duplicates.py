"""Images that show the same after re-encoding, scaling or brightening, found without comparing all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from reid_gl.data.loading.images import Image8

MAX_BITS = 10
"""Two codes of 128 bits may differ in so many; two that do agree in at least one of eleven bands."""

NUM_BANDS = MAX_BITS + 1

MAX_DIFFERENCE = 0.02
"""One minus the correlation of two thumbnails, up to which they count as the same image."""

MIN_CONTRAST = 4.0
"""Standard deviation of a thumbnail's grey values; below it there is nothing to tell images apart by."""

MIN_STEP = 2
"""Grey values by which a place must be brighter than the one before; less is noise of flat backgrounds."""

THUMBNAIL_SIDE = 16
PAIRS_AT_ONCE = 1 << 20
CONFIRMED_AT_ONCE = 1 << 13

Ints: TypeAlias = NDArray[np.int64]
Sketch: TypeAlias = tuple[NDArray[np.uint64], Image8]
"""Code (2,) and thumbnail (16, 16) of one image: a row of Sketches."""


class Sketches(NamedTuple):
    """What is kept of M images to find their like.

    Attributes:
        codes: (M, 2) uint64, difference hash and cosine hash.
        thumbnails: (M, 16, 16) uint8 grey.
    """

    codes: NDArray[np.uint64]
    thumbnails: Image8

    def take(self, rows: Sequence[int]) -> Sketches:
        """The sketches of some of the images, in the order given."""
        chosen = np.asarray(rows, dtype=np.int64)
        return Sketches(self.codes[chosen], self.thumbnails[chosen])


class Matches(NamedTuple):
    """Images of one set and the image of another that is most like each; K of them.

    Attributes:
        left: (K,) int64 rows of the one set, ascending.
        right: (K,) int64 rows of the other.
        differences: (K,) float32, 0 for the same up to brightness and contrast.
    """

    left: Ints
    right: Ints
    differences: NDArray[np.float32]


def make_sketch(image: Image8) -> Sketch:
    """Two perceptual hashes and a thumbnail of an image.

    The difference hash says of 8 x 8 places whether the image gets brighter to the right; the cosine hash
    which of the 8 x 8 lowest frequencies lie above their median.

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
    """A row of Sketches that is like no other, for an image that cannot be read."""
    return np.zeros(2, dtype=np.uint64), np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE), dtype=np.uint8)


def stack_sketches(rows: Sequence[Sketch]) -> Sketches:
    """Sketches of M images, M >= 0, from those of each."""
    codes = np.array([code for code, _ in rows], dtype=np.uint64).reshape(-1, 2)
    thumbnails = np.array([thumbnail for _, thumbnail in rows], dtype=np.uint8)
    return Sketches(codes, thumbnails.reshape(-1, THUMBNAIL_SIDE, THUMBNAIL_SIDE))


def find_near_duplicates(left: Sketches, right: Sketches) -> Matches:
    """For each image of one set the image of another that shows the same, if there is one.

    Alike are images with contrast whose codes differ in at most MAX_BITS and whose thumbnails, brought to
    the same mean and contrast, differ by at most MAX_DIFFERENCE. Candidates are the images that share one
    of eleven bands of the code, so no pair within MAX_BITS is missed. Cut or mirrored copies are not found.

    Args:
        left: images to look for.
        right: images to search.

    Returns:
        One row for each image of `left` that has its like; of several the one with the least difference,
        and the first of these.
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
    """Pairs of codes within MAX_BITS, in blocks; a pair that shares several bands comes several times."""
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
    """Eleven or twelve bits of each code at a time, as numbers: NUM_BANDS arrays (M,).

    The bits of a band come from all over the code, because neighbours are often the same in every image: an
    empty background makes whole lines of zeros.
    """
    bits = np.unpackbits(np.ascontiguousarray(codes).view(np.uint8), axis=1)  # (M, 128)
    parts = [bits[:, band::NUM_BANDS] for band in range(NUM_BANDS)]
    return [part @ (1 << np.arange(part.shape[1])) for part in parts]


def _blocks(counts: Ints) -> Iterator[Ints]:
    """Rows in order, as many at once as make PAIRS_AT_ONCE pairs, but at least one."""
    rows = np.flatnonzero(counts)
    group = np.cumsum(counts[rows]) // PAIRS_AT_ONCE
    yield from np.split(rows, np.flatnonzero(np.diff(group)) + 1)


def _count_bits(words: NDArray[np.uint64]) -> NDArray[np.int64]:
    """How many bits are set, by adding ever wider fields (numpy has a function for it from 2.0 only)."""
    ones = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
    count = words - ((words >> np.uint64(1)) & ones[0])
    count = (count & ones[1]) + ((count >> np.uint64(2)) & ones[1])
    count = (count + (count >> np.uint64(4))) & ones[2]
    sums: NDArray[np.uint64] = (count * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return sums.astype(np.int64)


def _thumbnail_differences(left: Image8, right: Image8, pairs: tuple[Ints, Ints]) -> NDArray[np.float32]:
    """One minus the correlation of each pair of thumbnails, (K,)."""
    differences = np.empty(len(pairs[0]), dtype=np.float32)
    for start in range(0, len(differences), CONFIRMED_AT_ONCE):
        part = slice(start, start + CONFIRMED_AT_ONCE)
        first, second = _standardize(left[pairs[0][part]]), _standardize(right[pairs[1][part]])
        differences[part] = 0.5 * np.square(first - second).mean(axis=1)
    return differences


def _standardize(thumbnails: Image8) -> NDArray[np.float32]:
    """Grey values with mean 0 and standard deviation 1, (K, 256)."""
    values = thumbnails.reshape(len(thumbnails), -1).astype(np.float32)
    values -= values.mean(axis=1, keepdims=True)
    values /= values.std(axis=1, keepdims=True)
    return values


def _keep_best(
    best: NDArray[np.float32], match: Ints, rows: Ints, columns: Ints, differences: NDArray[np.float32]
) -> None:
    """Write into best and match what is better than they hold; least difference, then first column."""
    order = np.lexsort((columns, differences, rows))
    rows, columns, differences = rows[order], columns[order], differences[order]
    first = np.diff(rows, prepend=-1) > 0
    rows, columns, differences = rows[first], columns[first], differences[first]
    better = (differences < best[rows]) | ((differences == best[rows]) & (columns < match[rows]))
    best[rows[better]], match[rows[better]] = differences[better], columns[better]
