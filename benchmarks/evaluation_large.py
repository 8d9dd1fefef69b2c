"""Galleries that are too large to keep all distances in memory, on synthetic features.

    python benchmarks/evaluation_large.py [--no-peers]

First, 11,659 queries and 82,161 gallery images (MSMT17's size), 512 numbers each, are scored and re-ranked
without storing all distances, once, in a separate process. Then 1,000 queries search a gallery of a million
images, 512 numbers each, for the nearest hundred with their distances, compared with faiss (pip install
faiss-cpu) on the same unit vectors; medians of three runs (faiss: one) after a warm-up run. Prints a
Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time

import numpy as np
from evaluation import print_row, seconds
from machine import extra_megabytes, print_header

from reid_gl.evaluation import RerankSettings, evaluate_features, search_gallery
from reid_gl.records import Features
from reid_gl.similarity import METRICS

WIDTH, NUM_CAMERAS = 512, 15
NUM_QUERIES, NUM_GALLERY, NUM_PEOPLE = 11_659, 82_161, 3_060
NUM_SEARCHES, NUM_SEARCHED, NUM_NEAREST = 1_000, 1_000_000, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-peers", action="store_true", help="leave out faiss")
    parser.add_argument("--streamed", choices=("scored", "re-ranked"), help=argparse.SUPPRESS)
    parser.add_argument("--faiss", choices=METRICS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.faiss:
        print(faiss_seconds(options.faiss))
        return
    if options.streamed:
        print(json.dumps(streamed(options.streamed == "re-ranked")))
        return
    print_header("Evaluation of large galleries")
    print(f"{NUM_QUERIES:,} queries, {NUM_GALLERY:,} gallery images, {WIDTH} numbers, streamed:\n")
    print("| work | seconds | peak MiB beyond the features |\n|---|---|---|", flush=True)
    for work in ("scored", "re-ranked"):
        command = [sys.executable, __file__, "--streamed", work]
        answer = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print(f"| {work} | {answer['seconds']:.1f} | {answer['megabytes']:.0f} |", flush=True)
    print(f"\n{NUM_SEARCHES:,} queries, {NUM_SEARCHED:,} gallery images, {WIDTH} numbers:\n")
    print("| work | seconds | peer | ratio |\n|---|---|---|---|", flush=True)
    search(options.no_peers)


def synthetic_people(num_people: int, sizes: tuple[int, int], seed: int = 0) -> list[Features]:
    """Draw unit vectors around one centre per person, for queries and gallery."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(num_people, WIDTH)).astype(np.float32)
    sides = []
    for num in sizes:
        pids = rng.integers(0, num_people, num)
        rows = centres[pids]
        rows += 1.5 * rng.standard_normal(size=(num, WIDTH), dtype=np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        sides.append(Features(rows, pids, rng.integers(0, NUM_CAMERAS, num)))
    return sides


def streamed(is_reranked: bool) -> dict[str, float]:
    query, gallery = synthetic_people(NUM_PEOPLE, (NUM_QUERIES, NUM_GALLERY))
    rerank = RerankSettings() if is_reranked else None
    some = synthetic_people(5, (20, 50))
    evaluate_features(*some, rerank=rerank)  # warm-up: loads and compiles
    start = time.perf_counter()
    megabytes = extra_megabytes(lambda: evaluate_features(query, gallery, rerank=rerank))
    return {"seconds": time.perf_counter() - start, "megabytes": megabytes}


def search(no_peers: bool) -> None:
    query, gallery = searched_sides()
    for metric in METRICS:

        def ours(metric: str = metric) -> object:
            return search_gallery(query, gallery, num_nearest=NUM_NEAREST, metric=metric)

        theirs = None
        if not no_peers:
            command = [sys.executable, __file__, "--faiss", metric]
            theirs = float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
        print_row(f"nearest {NUM_NEAREST}, {metric}", seconds(ours), "faiss IndexFlat", theirs)


def searched_sides() -> tuple[np.ndarray, np.ndarray]:
    """Return the features of the queries and of the gallery of a million images."""
    query, gallery = synthetic_people(10_000, (NUM_SEARCHES, NUM_SEARCHED))
    return query.embeddings, gallery.embeddings


def faiss_seconds(metric: str) -> float:
    import faiss  # in a process without our code, because several OpenMP runtimes compete for threads

    query, gallery = searched_sides()
    index = faiss.IndexFlatIP(WIDTH) if metric == "cosine" else faiss.IndexFlatL2(WIDTH)
    index.add(gallery)
    return seconds(lambda: index.search(query, NUM_NEAREST), repeats=1)


if __name__ == "__main__":
    main()
