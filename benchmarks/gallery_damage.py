"""Kills while adding to a gallery, and damage of its file; used by gallery.py."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from gallery_work import add

from reid_gl.gallery import Gallery
from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.sightings import StoredRow

ROOT = Path(__file__).parents[1]
DAMAGED_ROWS = 2_000


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
