"""What is measured in processes of its own: adding to galleries, and searching them; used by gallery.py."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
from evaluation_large import synthetic_people
from machine import extra_megabytes

from reid_gl.gallery import Gallery, Sighting

BATCH, K = 1_000, 50
NUM_SINGLE, NUM_TOGETHER, NUM_JUDGED = 300, 64, 100
MORNING = 1.7e9
IN_PROCESS = "qdrant://in-process/"
"""Beginning of a URI for Qdrant's client without a server, which keeps rows in QDRANT_FOLDER."""
QDRANT_FOLDER = Path(tempfile.gettempdir(), "bench.qdrant")


def opened(uri: str, mode: str = "a") -> Gallery:
    """A gallery with its audit log in the folder for temporary files if it is on a server."""
    log = Path(tempfile.gettempdir(), "bench.audit.jsonl") if "://" in uri else None
    if not uri.startswith(IN_PROCESS):
        return Gallery(uri, mode, audit_log=log)
    from qdrant_client import QdrantClient

    client = QdrantClient(path=str(QDRANT_FOLDER))
    with mock.patch("reid_gl.gallery.engines.open_engine.connect", return_value=client):
        return Gallery(uri, mode, audit_log=log)


def sides(num_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Queries and rows, around the same people."""
    query, rows = synthetic_people(max(num_rows // 100, 10), (NUM_SINGLE, num_rows))
    return query.embeddings, rows.embeddings


def add(num_rows: int, uri: str) -> dict[str, float | None]:
    _, features = sides(num_rows)

    def metadata(first: int) -> list[Sighting]:
        return [
            Sighting(
                row % 8,
                MORNING + row,
                row // 20,
                path=f"camera_{row % 8}/{row:09d}.jpg",
                frame=row,
                box=(4, 8, 60, 180),
            )
            for row in range(first, min(first + BATCH, num_rows))
        ]

    if uri.startswith(IN_PROCESS):
        shutil.rmtree(QDRANT_FOLDER, ignore_errors=True)  # of an earlier run
    with opened(uri) as gallery:
        start = time.perf_counter()
        for first in range(0, num_rows, BATCH):
            gallery.add(features[first : first + BATCH], metadata(first))
        seconds = time.perf_counter() - start
        size = None if "://" in uri else Path(uri).stat().st_size
        start = time.perf_counter()
        ids = [gallery.add(features[:1], [Sighting()])[0] for _ in range(100)]
        single = time.perf_counter() - start
        gallery.delete(ids=ids)
    return {
        "rows_a_second": num_rows / seconds,
        "single": 100 / single,
        "bytes_a_row": None if size is None else size / num_rows,
    }


def train(num_rows: int, uri: str) -> dict[str, float]:
    with Gallery(uri, "r+") as gallery:
        start = time.perf_counter()
        gallery.train()
        seconds = time.perf_counter() - start
        index = gallery.stats().index or {}
    return {
        "seconds": seconds,
        **{name: index[name] for name in ("lists", "probes", "candidates")},
        "bytes_a_row": index["num_bytes"] / num_rows,
    }


def measure(
    queries: np.ndarray,
    prepare: Callable[[], object],
    search: Callable[[np.ndarray], list[list[int]]],
    search_filtered: Callable[[np.ndarray], list[list[int]]] | None,
) -> dict[str, Any]:
    """Memory and time to get ready, then times of single queries and of many at once."""
    start = time.perf_counter()
    megabytes = extra_megabytes(lambda: (prepare(), search(queries[:1])))
    opened = time.perf_counter() - start
    answers = [search(queries[row : row + 1])[0] for row in range(NUM_JUDGED)]  # not counted
    filtered = None
    if search_filtered is not None:
        filtered = [search_filtered(queries[row : row + 1])[0] for row in range(NUM_JUDGED)]
    together = queries[:NUM_TOGETHER]
    search(together)
    start = time.perf_counter()
    search(together)
    seconds = time.perf_counter() - start
    return {
        "open": opened,
        "megabytes": megabytes,
        "single": percentiles(search, queries),
        "filtered": None if search_filtered is None else percentiles(search_filtered, queries),
        "queries_a_second": len(together) / seconds,
        "answers": answers,
        "filtered_answers": filtered,
    }


def percentiles(search: Callable[[np.ndarray], object], queries: np.ndarray) -> tuple[float, float]:
    """Median and 99th percentile of milliseconds."""
    times = []
    for row in range(len(queries)):
        start = time.perf_counter()
        search(queries[row : row + 1])
        times.append(1e3 * (time.perf_counter() - start))
    return float(np.median(times)), float(np.percentile(times, 99))


def search_gallery(num_rows: int, uri: str) -> dict[str, Any]:
    queries, _ = sides(num_rows)
    gallery = None

    def prepare() -> None:
        nonlocal gallery
        gallery = opened(uri, "r")

    time_range = (MORNING, MORNING + num_rows / 2)

    def search(rows: np.ndarray) -> list[list[int]]:
        return [[match.sighting.frame for match in answer] for answer in gallery.search(rows, K)]

    def search_filtered(rows: np.ndarray) -> list[list[int]]:
        answers = gallery.search(rows, K, cameras=[1, 2], time=time_range)
        return [[match.sighting.frame for match in answer] for answer in answers]

    with opened(uri, "r") as first:  # loads what is loaded once, the metadata too
        first.stats()
    return measure(queries, prepare, search, search_filtered)


def search_numpy(num_rows: int, uri: str) -> dict[str, Any]:
    queries, features = sides(num_rows)
    chosen = np.flatnonzero(np.isin(np.arange(num_rows) % 8, (1, 2)) & (np.arange(num_rows) <= num_rows / 2))

    def search(rows: np.ndarray) -> list[list[int]]:
        scores = rows @ features.T
        return np.argpartition(-scores, K, axis=1)[:, :K].tolist()

    def search_filtered(rows: np.ndarray) -> list[list[int]]:
        return chosen[np.argpartition(-(rows @ features[chosen].T), K, axis=1)[:, :K]].tolist()

    return {**measure(queries, lambda: None, search, search_filtered), "megabytes": features.nbytes / 2**20}


def search_flat(num_rows: int, uri: str) -> dict[str, Any]:
    import faiss

    queries, features = sides(num_rows)
    index = faiss.IndexFlatIP(features.shape[1])
    return measure(queries, lambda: index.add(features), lambda rows: index.search(rows, K)[1].tolist(), None)
