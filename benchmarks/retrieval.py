"""Scores of image retrieval compared with pytorch-metric-learning and faiss, on synthetic features.

    python benchmarks/retrieval.py [--small] [--no-peers]

60,502 images of 11,316 classes (the size of Stanford Online Products' test set), 512 numbers each; every
image searches all the others. First, Recall@1, 10, 100 and 1000, MAP@R and R-precision, compared with
Recall@1, MAP@R and R-precision by pytorch-metric-learning's AccuracyCalculator, which searches with faiss
(pip install faiss-cpu). Then k-means with as many clusters as classes, NMI, AMI and F1, compared with faiss's
k-means (20 iterations, as in pytorch-metric-learning) scored in the same way. Every job runs once, in a
separate process, after a small warm-up job. Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from machine import extra_megabytes, print_header
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

from reid_gl.evaluation import evaluate_clustering, evaluate_retrieval
from reid_gl.evaluation.scores.clustering import pair_f1

Scores = dict[str, float]
WIDTH, NUM_IMAGES, NUM_CLASSES = 512, 60_502, 11_316
SHRINKING = 10
"""Factor by which --small reduces the numbers of images and classes."""
NOISE = 2.2  # gives a Recall@1 near 0.75, which trained networks reach


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="a tenth of images and classes")
    parser.add_argument("--no-peers", action="store_true", help="leave out pytorch-metric-learning and faiss")
    parser.add_argument("--job", choices=JOBS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    num_images, num_classes = (
        size // (SHRINKING if options.small else 1) for size in (NUM_IMAGES, NUM_CLASSES)
    )
    if options.job:
        print(json.dumps(measured(JOBS[options.job], num_images, num_classes)))
        return
    print_header("Image retrieval")
    print(f"{num_images:,} images of {num_classes:,} classes, {WIDTH} numbers.")
    compare("Search", ("search", "peer search"), options)
    compare("Clusters", ("clusters", "peer clusters"), options)


def compare(title: str, jobs: tuple[str, str], options: argparse.Namespace) -> None:
    print(
        f"\n## {title}\n\n| | seconds | peak MiB beyond the features | scores |\n|---|---|---|---|",
        flush=True,
    )
    answers = []
    for job in jobs[: 1 if options.no_peers else 2]:
        command = [sys.executable, __file__, "--job", job] + ["--small"] * options.small
        answer = json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        scores = ", ".join(f"{name} {value:.6f}" for name, value in answer["scores"].items())
        print(
            f"| {NAMES[job]} | {answer['seconds']:.1f} | {answer['megabytes']:.0f} | {scores} |", flush=True
        )
        answers.append(answer)
    if len(answers) == 2:
        ours, theirs = answers
        largest = max(abs(ours["scores"][name] - value) for name, value in theirs["scores"].items())
        print(f"\nThe peer takes {theirs['seconds'] / ours['seconds']:.2f} times as long and needs ", end="")
        print(f"{theirs['megabytes'] / ours['megabytes']:.2f} times the memory; ", end="")
        print(f"scores differ by at most {largest:.1e}.")


def measured(job: Callable[[np.ndarray, np.ndarray], Scores], num: int, num_classes: int) -> dict[str, Any]:
    """Return seconds, memory and scores of a job, after a small warm-up job that loads and compiles."""
    job(*synthetic_images(1_000, 100))
    rows, labels = synthetic_images(num, num_classes)
    answer: dict[str, Any] = {}

    def call() -> None:
        start = time.perf_counter()
        answer["scores"] = job(rows, labels)
        answer["seconds"] = time.perf_counter() - start

    return {"megabytes": extra_megabytes(call), **answer}


def synthetic_images(num: int, num_classes: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw unit vectors around one centre per class, at least two for each class."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(num_classes, WIDTH)).astype(np.float32)
    twice = np.tile(np.arange(num_classes), 2)
    labels = rng.permutation(np.append(twice, rng.integers(0, num_classes, num - len(twice))))
    rows = rng.normal(size=(num, WIDTH)).astype(np.float32)
    rows *= np.float32(NOISE)
    rows += centres[labels]
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return rows, labels


def search(rows: np.ndarray, labels: np.ndarray) -> Scores:
    result = evaluate_retrieval(rows, labels, ks=[k for k in (1, 10, 100, 1000) if k < len(rows)])
    recall = {f"Recall@{k}": value for k, value in result.recall_at.items()}
    return {**recall, "MAP@R": result.map_at_r, "R-precision": result.r_precision}


def peer_search(rows: np.ndarray, labels: np.ndarray) -> Scores:
    from pytorch_metric_learning.utils.accuracy_calculator import AccuracyCalculator

    names = {
        "precision_at_1": "Recall@1",
        "mean_average_precision_at_r": "MAP@R",
        "r_precision": "R-precision",
    }
    calculator = AccuracyCalculator(include=tuple(names), k="max_bin_count", device=torch.device("cpu"))
    scores = calculator.get_accuracy(rows, labels)
    return {ours: float(scores[theirs]) for theirs, ours in names.items()}


def clusters(rows: np.ndarray, labels: np.ndarray) -> Scores:
    result = evaluate_clustering(rows, labels)
    return {"NMI": result.nmi, "AMI": result.ami, "F1": result.f1}


def peer_clusters(rows: np.ndarray, labels: np.ndarray) -> Scores:
    import faiss

    means = faiss.Kmeans(WIDTH, int(labels.max()) + 1, niter=20, min_points_per_centroid=1, seed=0)
    means.train(rows)
    found = means.index.search(rows, 1)[1][:, 0]
    nmi, ami = normalized_mutual_info_score(labels, found), adjusted_mutual_info_score(labels, found)
    return {"NMI": nmi, "AMI": ami, "F1": pair_f1(labels, found)}


JOBS: dict[str, Callable[[np.ndarray, np.ndarray], Scores]] = {
    "search": search,
    "peer search": peer_search,
    "clusters": clusters,
    "peer clusters": peer_clusters,
}
NAMES = {
    "search": "reid_gl",
    "peer search": "pytorch-metric-learning, faiss",
    "clusters": "reid_gl, until convergence",
    "peer clusters": "faiss, 20 iterations",
}

if __name__ == "__main__":
    main()
