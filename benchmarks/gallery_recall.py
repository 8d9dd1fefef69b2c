"""Recall of an approximate index on features from files; used by gallery.py."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import numpy as np

from reid_gl.experiment.gallery import Recording, add_file
from reid_gl.gallery import Gallery

K, NUM_QUERIES = 50, 200
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
        print(f"| | probes, candidates | recall at {K} | one camera | another camera | ms |")
        print("|---|---|---|---|---|---|", flush=True)
        for options in SETTINGS:
            print_settings(path, options)
        print(flush=True)


def print_settings(path: Path, options: str) -> None:
    with Gallery(path, "r") as exact, Gallery(f"faiss:{path}?{options}", "r") as indexed:
        rows = exact.rows(count=10**9)
        rng = np.random.default_rng(0)
        own = np.sort(rng.choice([number for number, _ in rows], NUM_QUERIES, replace=False)).tolist()
        cameras = dict(rows)
        queries = exact.features_of(own)
        indexed.search(queries[:1], K)
        times, shares = [], {"one": [], "another": []}
        for number, query in zip(own, queries, strict=True):
            start = time.perf_counter()
            indexed.search(query, K)
            times.append(time.perf_counter() - start)
            camera = cameras[number].camera
            for name, asked in {
                "one": {"cameras": camera},
                "another": {"exclude": {"camera": camera}},
            }.items():
                right, found = (
                    {match.id for match in gallery.search(query, K, **asked)[0]}
                    for gallery in (exact, indexed)
                )
                shares[name].append(len(right & found) / len(right))
        index = indexed.stats().index or {}
        recall = indexed.recall(NUM_QUERIES, K)
    filtered = " | ".join(f"{np.mean(values):.4f}" for values in shares.values())
    values = f"{index['probes']:.0f}, {index['candidates']:.0f}"
    print(
        f"| {options or 'chosen by training'} | {values} | {recall:.4f} "
        f"| {filtered} | {1e3 * np.median(times):.1f} |",
        flush=True,
    )
