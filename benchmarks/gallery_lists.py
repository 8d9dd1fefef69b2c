"""In how many lists of an index are the nearest rows? Without codes, which are compared exactly later.

    python benchmarks/gallery_lists.py [--rows 100000] [--cases 410,16 1640,16]

Clustered made-up features of 512 numbers, 100 rows per person. A case is a number of lists, and of rows to
train each on; the default ones have the ratios of 10^6 rows in 4,096 and 16,384 lists. Prints rows of a
Markdown table for docs/benchmarks/.
"""

from __future__ import annotations

import argparse

import numpy as np
from evaluation_large import synthetic_people

from reid_gl.gallery.engines.ivf.ivf_centres import find_centres

K, NUM_QUERIES, TARGET, SEED = 50, 100, 0.985, 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--cases", nargs="+", default=["410,16", "1640,16"], metavar="LISTS,ROWS")
    options = parser.parse_args()
    num_people = options.rows // 100
    queries, rows = (one.embeddings for one in synthetic_people(num_people, (NUM_QUERIES, options.rows)))
    nearest = np.argsort(-(queries @ rows.T), axis=1)[:, :K]
    for case in options.cases:
        num_lists, sample = map(int, case.split(","))
        lists, share = needed(queries, rows, nearest, trained(rows, num_lists, sample))
        print(
            f"| {options.rows:,}, {num_people:,} | {num_lists:,} | {sample} | {lists:,} "
            f"| {100 * share:.1f} % |",
            flush=True,
        )


def trained(rows: np.ndarray, num_lists: int, sample: int) -> np.ndarray:
    """Centres (L, D) of the lists, as the index trains them."""
    count = min(len(rows), sample * num_lists)
    chosen = np.sort(np.random.default_rng(SEED).choice(len(rows), count, replace=False))
    return find_centres(rows[chosen], num_lists)


def needed(
    queries: np.ndarray, rows: np.ndarray, nearest: np.ndarray, centres: np.ndarray
) -> tuple[int, float]:
    """Number of lists to search for TARGET of the nearest rows (Q, K), and the share of the rows in them."""
    list_of_row = (rows @ centres.T).argmax(axis=1)
    order = np.argsort(-(queries @ centres.T), axis=1)
    rank = np.argsort(order, axis=1)
    ranks = np.take_along_axis(rank, list_of_row[nearest], axis=1)
    count = int(np.quantile(ranks, TARGET)) + 1
    sizes = np.bincount(list_of_row, minlength=len(centres))
    return count, float(sizes[order[:, :count]].sum(axis=1).mean() / len(rows))


if __name__ == "__main__":
    main()
