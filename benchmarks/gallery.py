"""Galleries: adding, opening, searching, recall, kills and damage.

    python benchmarks/gallery.py [--rows 100000 1000000] [--servers URI ...] [--kills 100] [--flips 20]

Clustered made-up features of 512 numbers with cameras and times, 100 rows per person. Rows are added 1,000
at a time. Each engine searches in a process of its own, for the nearest 50 of one query at a time and of 64
at once: the plain file, the file with an approximate index (faiss:), and servers that are named, such as
milvus://localhost:19530/bench, whose collection must be new and is left behind. Beside them NumPy (matrix
product and argpartition) and faiss.IndexFlatIP (pip install faiss-cpu) on the same rows, which hold no
metadata and write no audit log. Recall: share of NumPy's 50 rows, over 100 queries. Kills:
tests/gallery/killed_writers.py. Damage: bits flipped in stored features and metadata, and anywhere in the
file, and files cut short. `--rows` without numbers, `--kills 0` and `--flips 0` leave a part out. Prints a
Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from evaluation_large import synthetic_people
from machine import extra_megabytes, print_header

from reid_gl.gallery import Gallery, Sighting
from reid_gl.gallery.condition import Condition
from reid_gl.gallery.sightings import StoredRow
from reid_gl.gallery.sqlite_engine import SqliteEngine

BATCH, K = 1_000, 50
NUM_SINGLE, NUM_TOGETHER, NUM_JUDGED = 300, 64, 100
MORNING = 1.7e9
ROOT = Path(__file__).parents[1]
DAMAGED_ROWS = 2_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[100_000, 1_000_000])
    parser.add_argument("--servers", metavar="URI", nargs="*", default=[])
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
            f"{trained['bytes_a_row']:,.0f} bytes a row.\n"
        )
        print(
            "| | open, s | MiB | one query: median, p99, ms | with a filter, ms | queries/s, 64 at once | "
            f"recall at {K} |\n|---|---|---|---|---|---|---|",
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
    pairs = zip(found["answers"], expected["answers"], strict=True)
    recall = np.mean([len(set(rows) & set(right)) / len(right) for rows, right in pairs])
    print(
        f"| {name} | {found['open']:.2f} | {found['megabytes']:,.0f} | {single} | {filtered} | "
        f"{found['queries_a_second']:,.0f} | {recall:.4f} |",
        flush=True,
    )


def run_part(name: str, num_rows: int, uri: str) -> dict[str, Any]:
    command = [sys.executable, __file__, "--part", name, str(num_rows), uri]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return dict(json.loads(answer))


def opened(uri: str, mode: str = "a") -> Gallery:
    """A gallery with its audit log in the folder for temporary files if it is on a server."""
    log = Path(tempfile.gettempdir(), "bench.audit.jsonl") if "://" in uri else None
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
        "lists": index["lists"],
        "bytes_a_row": index["num_bytes"] / num_rows,
    }


def measure(
    queries: np.ndarray,
    prepare: Callable[[], object],
    search: Callable[[np.ndarray], list[list[int]]],
    search_filtered: Callable[[np.ndarray], object] | None,
) -> dict[str, Any]:
    """Memory and time to get ready, then times of single queries and of many at once."""
    start = time.perf_counter()
    megabytes = extra_megabytes(lambda: (prepare(), search(queries[:1])))
    opened = time.perf_counter() - start
    answers = [search(queries[row : row + 1])[0] for row in range(NUM_JUDGED)]  # not counted
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

    def search(rows: np.ndarray) -> list[list[int]]:
        return [[match.sighting.frame for match in answer] for answer in gallery.search(rows, K)]

    with opened(uri, "r") as first:  # loads what is loaded once, the metadata too
        first.stats()
    time_range = (MORNING, MORNING + num_rows / 2)
    return measure(
        queries, prepare, search, lambda rows: gallery.search(rows, K, cameras=[1, 2], time=time_range)
    )


def search_numpy(num_rows: int, uri: str) -> dict[str, Any]:
    queries, features = sides(num_rows)
    chosen = np.flatnonzero(np.isin(np.arange(num_rows) % 8, (1, 2)) & (np.arange(num_rows) <= num_rows / 2))

    def search(rows: np.ndarray) -> list[list[int]]:
        scores = rows @ features.T
        return np.argpartition(-scores, K, axis=1)[:, :K].tolist()

    def search_filtered(rows: np.ndarray) -> object:
        return np.argpartition(-(rows @ features[chosen].T), K, axis=1)[:, :K].tolist()

    return {**measure(queries, lambda: None, search, search_filtered), "megabytes": features.nbytes / 2**20}


def search_flat(num_rows: int, uri: str) -> dict[str, Any]:
    import faiss

    queries, features = sides(num_rows)
    index = faiss.IndexFlatIP(features.shape[1])
    return measure(queries, lambda: index.add(features), lambda rows: index.search(rows, K)[1].tolist(), None)


PARTS = {"add": add, "train": train, "search": search_gallery, "numpy": search_numpy, "flat": search_flat}


def print_kills(rounds: int) -> None:
    script = ROOT / "tests" / "gallery" / "killed_writers.py"
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, str(script), folder, str(rounds), "0"]
        answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    acknowledged, stored = answer.stdout.split()
    print(f"## {rounds} kills while adding\n")
    print(f"{acknowledged} rows acknowledged, {stored} stored, none missing, torn or damaged.\n", flush=True)


def print_damage(count: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "people.db")
        add(DAMAGED_ROWS, str(file))
        whole = file.read_bytes()
        expected = stored(file)
        rng = np.random.default_rng(0)
        print("## Damage\n\n| | tried | found | unused space, nothing changed | wrong rows handed out |")
        print("|---|---|---|---|---|", flush=True)
        for name, changes in {
            "bits flipped in features and metadata": flips_in_rows(whole, expected, count, rng),
            "bits flipped anywhere": flips_anywhere(whole, count, rng),
            "files cut short": (whole[: int(len(whole) * rng.random())] for _ in range(count)),
        }.items():
            print(f"| {name} | {' | '.join(map(str, try_damage(file, changes, expected)))} |", flush=True)


def try_damage(file: Path, changes: Iterator[bytes], expected: dict[int, StoredRow]) -> list[int]:
    tried = found = unchanged = wrong = 0
    for data in changes:
        tried += 1
        file.write_bytes(data)
        try:
            with Gallery(file, "r") as gallery:
                is_whole = gallery.verify().is_whole
            left = stored(file)
        except ValueError:  # the beginning of the file: nothing can be read
            found += 1
            continue
        found += not is_whole
        unchanged += is_whole and left == expected
        wrong += any(left[number] != expected[number] for number in left)
    return [tried, found, unchanged, wrong]


def flips_in_rows(
    whole: bytes, expected: dict[int, StoredRow], count: int, rng: np.random.Generator
) -> Iterator[bytes]:
    for number in rng.choice(sorted(expected), count, replace=False).tolist():
        row = expected[number]
        target = row.vector if rng.random() < 0.5 else row.sighting.path.encode()
        yield flipped(whole, whole.index(target) + int(rng.integers(len(target))), rng)


def flips_anywhere(whole: bytes, count: int, rng: np.random.Generator) -> Iterator[bytes]:
    for _ in range(count):
        yield flipped(whole, int(rng.integers(len(whole))), rng)


def flipped(whole: bytes, place: int, rng: np.random.Generator) -> bytes:
    data = bytearray(whole)
    data[place] ^= 1 << int(rng.integers(8))
    return bytes(data)


def stored(file: Path) -> dict[int, StoredRow]:
    engine = SqliteEngine(file, "r")
    rows = {row.id: row for batch in engine.read(Condition()) for row in batch}
    engine.close()
    return rows


if __name__ == "__main__":
    main()
