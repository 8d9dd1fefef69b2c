"""Galleries: adding, opening, searching, recall, kills and damage.

    python benchmarks/gallery.py [--rows 100000 1000000] [--servers URI ...] [--features FILE ...]
        [--kills 100] [--flips 20]

Clustered made-up features of 512 numbers with cameras and times, 100 rows per person. Rows are added 1,000
at a time. Each engine searches in a process of its own, for the nearest 50 of one query at a time and of 64
at once: the plain file, the file with an approximate index (faiss:), and servers that are named, such as
milvus://localhost:19530/bench, whose collection must be new and is left behind; qdrant://in-process/bench is
Qdrant's client without a server. Beside them NumPy (matrix product and argpartition) and faiss.IndexFlatIP
(pip install faiss-cpu) on the same rows, which hold no metadata and write no audit log. Recall: share of
NumPy's 50 rows, over 100 queries. The filter leaves two of eight cameras and half of the time. `--features`:
recall of the index on files of reid-gl extract. Kills: tests/gallery/killed_writers.py. Damage: bits flipped
in stored features and metadata, and anywhere in the file, and files cut short. `--rows` without numbers,
`--kills 0` and `--flips 0` leave a part out. Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from gallery_damage import print_damage, print_kills
from gallery_recall import print_recall
from gallery_work import BATCH, K, add, search_flat, search_gallery, search_numpy, train
from machine import print_header


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--servers", metavar="URI", nargs="*", default=[])
    parser.add_argument("--features", metavar="FILE", nargs="*", default=[])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--flips", type=int, default=20)
    parser.add_argument("--part", nargs=3, metavar=("NAME", "ROWS", "URI"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        name, num_rows, uri = options.part
        print(json.dumps(PARTS[name](int(num_rows), uri)))
        return
    print_header("Gallery")
    for num_rows in options.rows:
        compare(num_rows, options.servers)
    if options.features:
        print_recall(options.features)
    if options.kills:
        print_kills(options.kills)
    if options.flips:
        print_damage(options.flips)


def compare(num_rows: int, servers: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, "people.db"))
        stores = {"file": file} | {uri: f"{uri}_{num_rows}" for uri in servers}
        print(f"## {num_rows:,} rows\n")
        print(f"| | rows/s added, {BATCH:,} at a time | rows/s added, one at a time | bytes a row |")
        print("|---|---|---|---|", flush=True)
        for name, uri in stores.items():
            added = run_part("add", num_rows, uri)
            size = "–" if added["bytes_a_row"] is None else f"{added['bytes_a_row']:,.0f}"
            print(f"| {name} | {added['rows_a_second']:,.0f} | {added['single']:,.0f} | {size} |", flush=True)
        trained = run_part("train", num_rows, f"faiss:{file}")
        print(
            f"\nIndex of the file: {trained['lists']:,} lists, made in {trained['seconds']:.0f} s, "
            f"{trained['bytes_a_row']:,.0f} bytes a row; {trained['probes']} lists and "
            f"{trained['candidates']} candidates a row of the answer are searched.\n"
        )
        print(
            "| | open, s | MiB | one query: median, p99, ms | with a filter, ms | queries/s, 64 at once | "
            f"recall at {K}, with the filter |\n|---|---|---|---|---|---|---|",
            flush=True,
        )
        expected = run_part("numpy", num_rows, file)
        print_searches("NumPy", expected, expected)
        print_searches("faiss.IndexFlatIP", run_part("flat", num_rows, file), expected)
        for name, uri in (("file", file), ("faiss:", f"faiss:{file}"), *list(stores.items())[1:]):
            print_searches(name, run_part("search", num_rows, uri), expected)
        print(flush=True)


def print_searches(name: str, found: dict[str, Any], expected: dict[str, Any]) -> None:
    single, filtered = (
        "–" if found[key] is None else f"{found[key][0]:.1f}, {found[key][1]:.1f}"
        for key in ("single", "filtered")
    )
    recalls = ", ".join(
        "–" if found[key] is None else f"{recall_of(found[key], expected[key]):.4f}"
        for key in ("answers", "filtered_answers")
    )
    print(
        f"| {name} | {found['open']:.2f} | {found['megabytes']:,.0f} | {single} | {filtered} | "
        f"{found['queries_a_second']:,.0f} | {recalls} |",
        flush=True,
    )


def recall_of(found: list[list[int]], expected: list[list[int]]) -> float:
    """Mean share of the expected rows that were found."""
    pairs = zip(found, expected, strict=True)
    return float(np.mean([len(set(rows) & set(right)) / len(right) for rows, right in pairs]))


def run_part(name: str, num_rows: int, uri: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--part", name, str(num_rows), uri]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(json.loads(answer))


PARTS = {"add": add, "train": train, "search": search_gallery, "numpy": search_numpy, "flat": search_flat}


if __name__ == "__main__":
    main()
