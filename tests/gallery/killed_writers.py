"""Kills processes that add to a gallery, and counts what they had acknowledged and is gone.

    python killed_writers.py FOLDER ROUNDS SEED [indexed]

With `indexed`, the gallery has an approximate index, which is saved again and again. Each round forks a
writer, which reports every batch through a pipe as soon as `add` has returned, and kills it after a random
time. Then the disk is full. Prints the number of rows acknowledged and found, and raises if any is missing
or damaged.
"""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import sys
import time
from pathlib import Path

import numpy as np

from reid_gl.gallery import Gallery, Sighting
from reid_gl.gallery.engines.ivf import kept_index
from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.interface.condition import Condition

WIDTH, BATCH = 64, 50
LONGEST = 0.15
FILLED = 300
INDEX = f"?lists=2&bytes=8&train_at={FILLED}"


def row_features(first: int) -> np.ndarray:
    """Features that depend on the number of the row, so that each can be checked."""
    return np.random.default_rng(first).normal(size=(BATCH, WIDTH)).astype(np.float32)


def write(uri: str, pipe: int) -> None:
    kept_index.UNSAVED_ROWS, kept_index.UNSAVED_SHARE = BATCH, 0.0
    with Gallery(uri) as gallery:
        first = gallery.stats().num_rows + 1
        while True:
            metadata = [Sighting(pid=first, path=f"{first}/{row}.jpg") for row in range(BATCH)]
            ids = gallery.add(row_features(first), metadata)
            assert ids[0] == first
            os.write(pipe, first.to_bytes(8, "little"))
            first += BATCH


def acknowledged(uri: str, seconds: float) -> list[int]:
    """First rows of the batches that a writer acknowledges before it is killed; nobody else may write."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            write(uri, writing)
        finally:
            os._exit(1)
    os.close(writing)
    data = os.read(reading, 8)
    with contextlib.suppress(BlockingIOError):
        Gallery(uri)
        raise AssertionError("two processes write")
    time.sleep(seconds)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer ended by itself"
    with os.fdopen(reading, "rb") as pipe:
        data += pipe.read()
    return [int.from_bytes(data[place : place + 8], "little") for place in range(0, len(data), 8)]


def check(path: Path, batches: list[int]) -> int:
    """Rows of a gallery, after it is seen that none is damaged and none of the batches missing."""
    engine = SqliteEngine(path, "r+")
    found = {row.id: row for rows in engine.read(Condition()) for row in rows}
    assert engine.verify().is_whole, engine.verify()
    engine.close()
    assert len(found) % BATCH == 0, "a batch is torn"
    for first in batches:
        expected = row_features(first)
        for place in range(BATCH):
            row = found[first + place]
            assert (row.sighting.pid, row.sighting.path) == (first, f"{first}/{place}.jpg")
            stored = np.frombuffer(row.vector, np.float32)
            assert np.allclose(stored * np.linalg.norm(expected[place]), expected[place], atol=1e-5)
    return len(found)


def fill_the_disk(path: Path) -> None:
    """A batch that does not fit is refused whole, and the gallery goes on."""
    with Gallery(path) as gallery:
        before = gallery.stats().num_rows
        limit = path.stat().st_size + 100_000
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        refusal = ""
        try:
            gallery.add_parts((row_features(part), [Sighting()] * BATCH) for part in range(500))
        except OSError as error:
            refusal = str(error)
        assert "nothing of this call was stored" in refusal
        assert gallery.stats().num_rows == before
        assert gallery.verify().is_whole
        assert len(gallery.search(row_features(1)[:1], 5)[0]) == min(5, before)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert len(gallery.add(row_features(1), [Sighting()] * BATCH)) == BATCH


def make_index(uri: str) -> None:
    """Fill a gallery and train its index, in a process of its own: threads of faiss do not survive a fork."""
    child = os.fork()
    if child == 0:
        with Gallery(uri) as gallery:
            for batch in range(FILLED // BATCH):
                first = 1 + batch * BATCH
                metadata = [Sighting(pid=first, path=f"{first}/{row}.jpg") for row in range(BATCH)]
                gallery.add(row_features(first), metadata)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def check_index(uri: str) -> None:
    """The index that the last kill left can be used, and finds rows that it does not hold yet."""
    with Gallery(uri, "r") as gallery:
        stats = gallery.stats()
        assert stats.index is not None
        assert gallery.verify().is_whole, gallery.verify()
        answers = gallery.search(row_features(stats.num_rows - BATCH + 1), 1)
        assert [answer[0].id for answer in answers][-1] == stats.num_rows


def main(folder: str, rounds: str, seed: str, kind: str = "") -> None:
    path = Path(folder) / "people.db"
    uri = f"faiss:{path}{INDEX}" if kind == "indexed" else str(path)
    Gallery(path).close()
    if kind == "indexed":
        make_index(uri)
    rng = np.random.default_rng(int(seed))
    batches: list[int] = []
    num_rows = 0
    for _ in range(int(rounds)):
        batches += acknowledged(uri, float(rng.uniform(0.01, LONGEST)))
        num_rows = check(path, batches[-20:])
    check(path, batches)
    if kind == "indexed":
        check_index(uri)
    fill_the_disk(path)
    sys.stdout.write(f"{len(batches) * BATCH} {num_rows}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
