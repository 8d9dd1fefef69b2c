"""Recall of an approximate index on features from files; used by gallery.py."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from reid_gl.experiment.gallery import Recording, add_file
from reid_gl.gallery import Gallery, Match

K, NUM_QUERIES, NUM_FILTERED = 50, 200, 50
SETTINGS = ("", "probes=1&candidates=1", "probes=8&candidates=4", "probes=32&candidates=4")


def print_recall(files: list[str]) -> None:
    """Put files of `reid-gl extract` into one gallery, and compare its index with the exact search."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "people.db")
        with Gallery(path) as gallery:
            for file in files:
                add_file(gallery, Path(file), Recording())
            stats = gallery.stats()
        start = time.perf_counter()
        with Gallery(f"faiss:{path}", "r+") as gallery:
            gallery.train()
            lists = int((gallery.stats().index or {})["lists"])
        seconds = time.perf_counter() - start
        print(f"## Features from files: {stats.num_rows:,} rows of {stats.dimension} numbers\n")
        counts = f"{stats.num_identities} people, {len(stats.cameras)} cameras"
        print(f"{counts}; {lists} lists, made in {seconds:.0f} s.\n")
        print(f"| | probes, candidates | recall at {K} | half of the rows | a tenth | ms |")
        print("|---|---|---|---|---|---|", flush=True)
        for options in SETTINGS:
            print_settings(path, options)
        print(flush=True)


def print_settings(path: Path, options: str) -> None:
    with Gallery(path, "r") as exact, Gallery(f"faiss:{path}?{options}", "r") as indexed:
        rng = np.random.default_rng(0)
        numbers = [number for number, _ in exact.rows(count=10**9)]
        queries = exact.features_of(rng.choice(numbers, NUM_FILTERED, replace=False).tolist())
        indexed.search(queries[:1], K)
        times = []
        for query in queries:
            start = time.perf_counter()
            indexed.search(query, K)
            times.append(time.perf_counter() - start)
        filtered = []
        for share in (0.5, 0.1):
            others = rng.choice(numbers, round((1 - share) * len(numbers)), replace=False).tolist()
            right, found = (
                gallery.search(queries, K, exclude={"id": others}) for gallery in (exact, indexed)
            )
            pairs = zip(right, found, strict=True)
            filtered.append(np.mean([len(_ids(one) & _ids(other)) / len(one) for one, other in pairs]))
        index = indexed.stats().index or {}
        recall = indexed.recall(NUM_QUERIES, K)
    name = options or "chosen by training"
    print(
        f"| {name} | {index['probes']:.0f}, {index['candidates']:.0f} | {recall:.4f} "
        f"| {filtered[0]:.4f} | {filtered[1]:.4f} | {1e3 * np.median(times):.1f} |",
        flush=True,
    )


def _ids(matches: list[Match]) -> set[int]:
    return {match.id for match in matches}
