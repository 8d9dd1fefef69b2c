"""Compiled kernels of k-reciprocal re-ranking: reciprocal sets and their overlap.

No array here is quadratic in the number of images. An image has about twenty neighbours, about thirty
images in its reciprocal set, and a few hundred after the sets of its neighbours are averaged. Sets are
stored as in CSR: `starts` (N + 1,), and members and weights one after another.
"""

from __future__ import annotations

import numpy as np
from numba import prange
from numpy.typing import NDArray

from reid_gl.evaluation.compiled import compiled

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
Offsets = NDArray[np.int64]


@compiled()
def _has(ids: Ints, wanted: int) -> bool:
    for number in ids:  # noqa: SIM110 - comparing whole arrays would allocate a new one
        if number == wanted:
            return True
    return False


@compiled()
def _reciprocal(nearest: Ints, i: int, k: int, found: Ints) -> int:
    """Write to `found` those of the k + 1 nearest images of i that also have i among theirs; count them."""
    size = 0
    for j in nearest[i, : k + 1]:
        if _has(nearest[j, : k + 1], i):
            found[size] = j
            size += 1
    return size


@compiled()
def _expand(nearest: Ints, i: int, k1: int, half: int, members: Ints) -> int:
    """Write the expanded reciprocal set of i to `members`, sorted and without duplicates; return its size.

    The half-sized reciprocal set of each member is added if more than two thirds of it lie in the set of i.
    """
    width = nearest.shape[1]
    original, other = np.empty(width, np.int32), np.empty(width, np.int32)
    num_original = _reciprocal(nearest, i, k1, original)
    members[:num_original] = original[:num_original]
    size = num_original
    for candidate in original[:num_original]:
        num_other = _reciprocal(nearest, candidate, half, other)
        shared = 0
        for j in other[:num_other]:
            shared += _has(original[:num_original], j)
        if shared > 2 / 3 * num_other:  # the same floating-point comparison as the authors'
            members[size : size + num_other] = other[:num_other]
            size += num_other
    unique = np.unique(members[:size])
    members[: len(unique)] = unique
    return len(unique)


@compiled(parallel=True)
def reciprocal_sets(nearest: Ints, k1: int, half: int) -> tuple[Offsets, Ints]:
    """Expanded k-reciprocal set of each image.

    Each set is computed twice, first to count its members and then to write them at the right offset: this
    takes less memory than to hold all sets at their largest possible size.

    Args:
        nearest: (N, K) nearest images, nearest first, itself included; K is at least k1 + 1, or N if the
            pool is smaller.
        k1: number of neighbours.
        half: number of neighbours of each neighbour.

    Returns:
        Offsets (N + 1,) of the sets, and their members, sorted within each set.
    """
    num, width = nearest.shape
    room = width + width * min(half + 1, width)
    sizes = np.zeros(num + 1, np.int64)
    for i in prange(num):
        sizes[i + 1] = _expand(nearest, i, k1, half, np.empty(room, np.int32))
    starts = np.cumsum(sizes)
    members = np.empty(starts[-1], np.int32)
    for i in prange(num):
        own = np.empty(room, np.int32)
        size = _expand(nearest, i, k1, half, own)
        members[starts[i] : starts[i + 1]] = own[:size]
    return starts, members


@compiled(parallel=True)
def weigh_sets(starts: Offsets, distances: Floats) -> Floats:
    """Weight of each member: exp(-distance), normalised to sum to 1 within its set."""
    weights = np.empty_like(distances)
    for i in prange(len(starts) - 1):
        own = np.exp(-distances[starts[i] : starts[i + 1]].astype(np.float64))
        weights[starts[i] : starts[i + 1]] = own / own.sum()
    return weights


@compiled()
def _average(
    i: int, nearest: Ints, k2: int, starts: Offsets, members: Ints, weights: Floats, ids: Ints, values: Floats
) -> int:
    """Average the sets of the k2 nearest images of i into `ids`, sorted, and `values`; return the size."""
    chosen = nearest[i, :k2]
    total = 0
    for j in chosen:
        total += starts[j + 1] - starts[j]
    if total == 0:
        return 0
    gathered, gains = np.empty(total, np.int32), np.empty(total, np.float64)
    place = 0
    for j in chosen:
        for p in range(starts[j], starts[j + 1]):
            gathered[place] = members[p]
            gains[place] = weights[p]
            place += 1
    order = np.argsort(gathered, kind="mergesort")
    size, previous, gain = 0, np.int32(-1), 0.0
    for p in order:
        if gathered[p] != previous and previous >= 0:
            ids[size] = previous
            values[size] = gain / len(chosen)
            size += 1
            gain = 0.0
        previous = gathered[p]
        gain += gains[p]
    ids[size] = previous
    values[size] = gain / len(chosen)
    return size + 1


@compiled(parallel=True)
def average_sets(
    nearest: Ints, k2: int, starts: Offsets, members: Ints, weights: Floats
) -> tuple[Offsets, Ints, Floats]:
    """Replace each image's set with the mean of the sets of its k2 nearest images, itself included.

    Each mean is computed twice, as in reciprocal_sets: once for its size, once to write it.
    """
    num = len(nearest)
    k2 = min(k2, nearest.shape[1])
    rooms = np.zeros(num + 1, np.int64)
    for i in prange(num):
        for j in nearest[i, :k2]:
            rooms[i + 1] += starts[j + 1] - starts[j]
    sizes = np.zeros(num + 1, np.int64)
    for i in prange(num):
        ids, values = np.empty(rooms[i + 1], np.int32), np.empty(rooms[i + 1], np.float32)
        sizes[i + 1] = _average(i, nearest, k2, starts, members, weights, ids, values)
    new_starts = np.cumsum(sizes)
    new_members, new_weights = np.empty(new_starts[-1], np.int32), np.empty(new_starts[-1], np.float32)
    for i in prange(num):
        ids, values = np.empty(rooms[i + 1], np.int32), np.empty(rooms[i + 1], np.float32)
        size = _average(i, nearest, k2, starts, members, weights, ids, values)
        new_members[new_starts[i] : new_starts[i + 1]] = ids[:size]
        new_weights[new_starts[i] : new_starts[i + 1]] = values[:size]
    return new_starts, new_members, new_weights


@compiled(parallel=True)
def blend_overlap(
    result: Floats,
    first: int,
    rows: tuple[Offsets, Ints, Floats],
    columns: tuple[Offsets, Ints, Floats],
    lambda_value: float,
) -> None:
    """Compute (1 - lambda) * Jaccard distance of the sets + lambda * result, in place.

    With weights that sum to 1 in each set, the Jaccard distance is 1 - S / (2 - S), where S is the sum of
    the smaller of the two weights over all shared members.

    Args:
        result: (B, G) normalised distances, overwritten.
        first: index of the query in the first row.
        rows: the sets by image: offsets, members, weights.
        columns: the gallery's sets by member: offsets, gallery images, weights.
        lambda_value: weight of the original distances.
    """
    starts, members, weights = rows
    column_starts, images, column_weights = columns
    for i in prange(len(result)):
        shared = np.zeros(result.shape[1], np.float64)
        for p in range(starts[first + i], starts[first + i + 1]):
            member, weight = members[p], weights[p]
            for c in range(column_starts[member], column_starts[member + 1]):
                shared[images[c]] += min(weight, column_weights[c])
        for j in range(result.shape[1]):
            jaccard = max(0.0, 1.0 - shared[j] / (2.0 - shared[j]))  # rounding may take S above 1
            result[i, j] = (1.0 - lambda_value) * jaccard + lambda_value * result[i, j]


@compiled(parallel=True)
def set_distances(
    starts: Offsets, members: Ints, nearest: Ints, near: Floats
) -> tuple[Floats, NDArray[np.bool_]]:
    """Squared distance from each image to the members of its set, as far as its neighbour list has them.

    Returns:
        Squared distances, one per member, 0 if unknown; and a mask, True where the distance is unknown.
    """
    squared = np.zeros(len(members), np.float32)
    missing = np.ones(len(members), np.bool_)
    for i in prange(len(starts) - 1):
        for p in range(starts[i], starts[i + 1]):
            for place in range(nearest.shape[1]):
                if nearest[i, place] == members[p]:
                    squared[p] = near[i, place]
                    missing[p] = False
                    break
    return squared, missing
