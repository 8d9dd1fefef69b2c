"""Compressed features in lists of similar ones (IVF-PQ), by faiss, which is imported only here."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.gallery.engines.ivf.ivf_centres import find_centres, nearest_centres
from reid_gl.gallery.interface.sightings import Floats, Ints

BITS = 8
CODES = 2**BITS
"""Number of values of a byte of a code, each of which needs a row to be trained on."""
MOST_FOR_CODES = 20_000
"""Rows that codes are chosen for: 78 for each value of a byte, twice what faiss asks for."""


def import_faiss() -> Any:  # noqa: ANN401 - it may not be installed
    """Import the module faiss.

    Raises:
        ImportError: it is not installed.
    """
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise ImportError(f"this gallery needs faiss ({error}): pip install 'reid_gl[faiss]'") from None


class IvfIndex:
    """Finds rows with large cosines approximately; the caller compares the stored features.

    Args:
        index: an IndexIVFPQ of faiss, of inner products.
    """

    def __init__(self, index: Any) -> None:  # noqa: ANN401
        self._index = index

    def __len__(self) -> int:
        """Return the number of rows."""
        return int(self._index.ntotal)

    @property
    def num_lists(self) -> int:
        """Return the number of lists."""
        return int(self._index.nlist)

    @property
    def code_bytes(self) -> int:
        """Return the number of bytes that stand for a feature."""
        return int(self._index.pq.M)

    def add(self, ids: Ints, vectors: Floats) -> None:
        """Add features (M, D) of length one under new numbers (M,)."""
        vectors = np.ascontiguousarray(vectors, np.float32)
        lists = nearest_centres(vectors, self._centres())
        importlib.import_module("faiss.contrib.ivf_tools").add_preassigned(self._index, vectors, lists, ids)

    def nearest(self, queries: Floats, count: int, probes: int, allowed: Ints | None = None) -> Ints:
        """Return numbers (Q, count) of rows near queries (Q, D), -1 where the searched lists hold no more.

        Args:
            queries: features of length one.
            count: number of rows for each query.
            probes: number of lists to search.
            allowed: (M,) numbers of the rows to search, M at least 1; None for all.
        """
        faiss = import_faiss()
        chosen = {} if allowed is None else {"sel": faiss.IDSelectorBitmap(_bits(allowed))}
        parameters = faiss.SearchParametersIVF(nprobe=min(probes, self.num_lists), **chosen)
        # faiss.contrib.torch_utils, which other packages import, keeps the search with parameters here
        search = getattr(self._index, "search_numpy", self._index.search)
        found: Ints = search(queries, count, params=parameters)[1]
        return found

    def remove(self, ids: Ints) -> None:
        """Remove rows; unknown numbers are ignored."""
        if len(ids):
            self._index.remove_ids(import_faiss().IDSelectorBatch(ids))

    def ids(self) -> Ints:
        """Return the numbers of all rows, in ascending order."""
        lists, faiss = self._index.invlists, import_faiss()
        parts = [
            faiss.rev_swig_ptr(lists.get_ids(place), lists.list_size(place)).copy()
            for place in range(self.num_lists)
            if lists.list_size(place)
        ]
        return np.sort(np.concatenate(parts)) if parts else np.zeros(0, np.int64)

    def write(self, path: Path) -> None:
        """Write the index to a file."""
        import_faiss().write_index(self._index, str(path))

    def _centres(self) -> Floats:
        """Return the memory of the centres (L, D) of the lists."""
        faiss = import_faiss()
        quantizer = faiss.downcast_index(self._index.quantizer)
        memory: Floats = faiss.rev_swig_ptr(quantizer.get_xb(), self.num_lists * self._index.d)
        return memory.reshape(self.num_lists, -1)


def train_index(sample: Floats, lists: int, code_bytes: int) -> IvfIndex:
    """Choose lists and codes that fit a sample of features, and return an index without rows.

    Args:
        sample: (M, D) of length one, at least as many as lists, and at least CODES.
        lists: number of lists.
        code_bytes: bytes of a code, a divisor of D.
    """
    faiss = import_faiss()
    dimension = sample.shape[1]
    quantizer = faiss.IndexFlatIP(dimension)
    quantizer.add(find_centres(sample, lists))
    index = faiss.IndexIVFPQ(quantizer, dimension, lists, code_bytes, BITS, faiss.METRIC_INNER_PRODUCT)
    index.pq.cp.min_points_per_centroid = 1  # no warning on stderr
    some = np.linspace(0, len(sample) - 1, min(len(sample), MOST_FOR_CODES)).astype(np.int64)
    index.train(sample[some])
    return IvfIndex(index)


def read_index(path: Path) -> IvfIndex:
    """Read an index that `write` wrote; the caller has checked that the file is undamaged.

    Raises:
        ValueError: faiss cannot read it.
    """
    faiss = import_faiss()
    try:
        return IvfIndex(faiss.read_index(str(path)))
    except RuntimeError as error:
        raise ValueError(f"this version of faiss cannot read {path} ({error})") from None


def _bits(numbers: Ints) -> NDArray[np.uint8]:
    """Return one bit for each number from 0 to the largest, set for those given, at least one."""
    numbers = np.sort(numbers)
    bits = np.zeros(numbers[-1] // 8 + 1, np.uint8)
    places, starts = np.unique(numbers // 8, return_index=True)
    bits[places] = np.bitwise_or.reduceat((1 << numbers % 8).astype(np.uint8), starts)
    return bits
