"""Centres of the lists of an index: spherical k-means, and the centre nearest to a row.

faiss does the same, in four times the time, and starts with random rows, which leaves some people without a
list and gives others several.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import normalize

from reid_gl.gallery.interface.sightings import Floats, Ints

ROUNDS = 8
"""The first centres are chosen in this many rounds."""
ITERATIONS = 2
"""Of k-means; more help little and take longer (docs/benchmarks/)."""
FAR_ROWS = 16
"""For n new centres, n rows are drawn from the 16 n that are farthest, so that few are of the same person."""
MOST_COSINES = 2**24
"""Cosines to hold at a time: 64 MB."""


def find_centres(sample: Floats, num_centres: int) -> Floats:
    """Return centres (L, D), of length one, of groups of similar rows.

    The same machine finds the same centres each time. A centre that no row is nearest to is zero.

    Args:
        sample: (M, D) of length one, M at least L.
        num_centres: L.
    """
    rows, generator = torch.from_numpy(sample), torch.Generator().manual_seed(0)
    centres = _distant_rows(rows, num_centres, generator)
    for iteration in range(ITERATIONS):
        nearest, cosines = _nearest(rows, centres)
        centres = normalize(torch.zeros_like(centres).index_add_(0, nearest, rows), dim=1)
        if iteration < ITERATIONS - 1:  # a new centre must be seen by the rows around it
            is_empty = torch.bincount(nearest, minlength=num_centres) == 0
            centres[is_empty] = _far_rows(rows, cosines, int(is_empty.sum()), generator)
    return centres.numpy()


def nearest_centres(rows: Floats, centres: Floats) -> Ints:
    """Return the number (M,) of the centre with the largest cosine to each row (M, D) of length one."""
    writable = torch.tensor(rows, device="cpu")  # torch warns of arrays that are not, such as rows of a file
    return _nearest(writable, torch.from_numpy(centres))[0].numpy()


def _distant_rows(rows: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return rows (L, D) of as many people as possible: each round chooses some far from those before."""
    first, *others = (count // ROUNDS + (number < count % ROUNDS) for number in range(ROUNDS))
    chosen = rows[torch.randperm(len(rows), generator=generator, device="cpu")[:first]]
    cosines = _nearest(rows, chosen)[1]
    for size in filter(None, others):
        new = _far_rows(rows, cosines, size, generator)
        chosen = torch.cat([chosen, new])
        cosines = torch.maximum(cosines, _nearest(rows, new)[1])
    return chosen


def _far_rows(rows: Tensor, cosines: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Return a random choice among the rows that are farthest from their nearest centres."""
    farthest = cosines.argsort(stable=True)[: FAR_ROWS * count]
    return rows[farthest[torch.randperm(len(farthest), generator=generator, device="cpu")[:count]]]


def _nearest(rows: Tensor, centres: Tensor) -> tuple[Tensor, Tensor]:
    """Return the number (M,) of the centre nearest to each row, and their cosine."""
    with torch.autocast("cpu", enabled=False):
        parts = [(rows[part] @ centres.T).max(dim=1) for part in _parts(len(rows), len(centres))]
    return torch.cat([part.indices for part in parts]), torch.cat([part.values for part in parts])


def _parts(num_rows: int, num_centres: int) -> Iterator[slice]:
    step = max(1, MOST_COSINES // num_centres)
    for start in range(0, max(num_rows, 1), step):
        yield slice(start, start + step)
