"""Scoring and re-ranking compared with torchreid, on synthetic features of Market-1501's size.

    python benchmarks/evaluation.py [--no-peers]

3,368 queries and 15,913 gallery images of 750 people, 2,048 numbers each. Times are medians of three runs
after a warm-up run; torchreid's scoring and re-ranking run once. Memory is what a separate process needs
in addition to features and result. Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable

import numpy as np
import torch
from machine import extra_megabytes, print_header

from reid_gl.evaluation import evaluate_features, evaluate_ranking, k_reciprocal_rerank
from reid_gl.records import Features

NUM_QUERIES, NUM_GALLERY, NUM_PEOPLE, WIDTH, NUM_CAMERAS = 3_368, 15_913, 750, 2_048, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--no-peers", action="store_true", help="leave out torchreid, which takes minutes")
    parser.add_argument("--memory", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    query, gallery = synthetic_features()
    if options.memory:
        print(rerank_megabytes(query, gallery))
        return
    print_header("Evaluation")
    print(f"{NUM_QUERIES:,} queries, {NUM_GALLERY:,} gallery images, {WIDTH:,} numbers.\n")
    print("| work | seconds | peer | ratio |\n|---|---|---|---|", flush=True)
    score(query, gallery, options.no_peers)
    rerank(query, gallery, options.no_peers)
    print(f"\nPeak memory of re-ranking beyond features and result: {measured_megabytes():.0f} MiB.")


def synthetic_features(seed: int = 0) -> tuple[Features, Features]:
    """Draw unit vectors around one centre per person, about as far apart as those of a trained network."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(NUM_PEOPLE, WIDTH)).astype(np.float32)

    def side(num: int) -> Features:
        pids = rng.integers(0, NUM_PEOPLE, num)
        rows = centres[pids] + 1.5 * rng.normal(size=(num, WIDTH)).astype(np.float32)
        rows /= np.linalg.norm(rows, axis=1, keepdims=True)
        return Features(rows, pids, rng.integers(0, NUM_CAMERAS, num))

    return side(NUM_QUERIES), side(NUM_GALLERY)


def seconds(call: Callable[[], object], repeats: int = 3) -> float:
    times = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def once(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def print_row(work: str, ours: float, peer: str = "", theirs: float | None = None) -> None:
    ratio = "" if theirs is None else f"{theirs / ours:.1f}"
    beside = "" if theirs is None else f"{peer}: {theirs:.2f}"
    print(f"| {work} | {ours:.3f} | {beside} | {ratio} |", flush=True)


def score(query: Features, gallery: Features, no_peers: bool) -> None:
    distances = 1.0 - query.embeddings @ gallery.embeddings.T
    case = (distances, query.pids, gallery.pids, query.camids, gallery.camids)
    ours = seconds(lambda: evaluate_ranking(*case))
    if no_peers:
        print_row("score a matrix", ours)
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from torchreid.reid.metrics import rank
        theirs = once(lambda: rank.evaluate_rank(*case, use_cython=False))
        print_row("score a matrix", ours, "torchreid, Python", theirs)
        if rank.IS_CYTHON_AVAI:
            print_row("score a matrix", ours, "torchreid, Cython", seconds(lambda: rank.evaluate_rank(*case)))
    print_row("score features", seconds(lambda: evaluate_features(query, gallery)))


def rerank(query: Features, gallery: Features, no_peers: bool) -> None:
    ours = seconds(lambda: k_reciprocal_rerank(query.embeddings, gallery.embeddings))
    if no_peers:
        print_row("re-rank features", ours)
    else:
        print_row(
            "re-rank features", ours, "torchreid, features to distances", once(peer_rerank(query, gallery))
        )
    pool = torch.from_numpy(np.concatenate([query.embeddings, gallery.embeddings]))

    def products() -> None:
        for start in range(0, len(pool), 512):
            pool[start : start + 512] @ pool.T

    alone = seconds(products)
    print_row("the matrix products alone", alone)
    print(f"\nRe-ranking takes {ours / alone:.2f} times as long as the matrix products alone.")


def peer_rerank(query: Features, gallery: Features) -> Callable[[], object]:
    """Return a call of torchreid's re-ranking on its own distances, in the way its engine calls it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torchreid.reid.metrics import compute_distance_matrix
        from torchreid.reid.utils.rerank import re_ranking
    sides = [torch.from_numpy(side.embeddings) for side in (query, gallery)]
    pairs = ((sides[0], sides[1]), (sides[0], sides[0]), (sides[1], sides[1]))
    return lambda: re_ranking(*(compute_distance_matrix(*pair, "euclidean").numpy() for pair in pairs))


def rerank_megabytes(query: Features, gallery: Features) -> float:
    k_reciprocal_rerank(query.embeddings[:50], gallery.embeddings[:50])  # warm-up: loads and compiles
    result = 4 * NUM_QUERIES * NUM_GALLERY / 2**20
    return extra_megabytes(lambda: k_reciprocal_rerank(query.embeddings, gallery.embeddings)) - result


def measured_megabytes() -> float:
    command = [sys.executable, __file__, "--memory"]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
