from __future__ import annotations

import numpy as np
import pytest

from reid_gl.gallery.engines.sqlite import matrix as matrix_module
from reid_gl.gallery.engines.sqlite.matrix import Matrix
from reid_gl.gallery.interface.condition import Condition, make_condition

TILE = 8


@pytest.fixture(autouse=True)
def _small_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matrix_module, "TILE_IMAGES", TILE)
    monkeypatch.setattr(matrix_module, "TILE_QUERIES", 2)
    monkeypatch.setattr(matrix_module, "MANY", 20)


@pytest.mark.parametrize("seed", range(8))
def test_adding_changing_and_removing_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix, model, next_id = Matrix(4), {}, 1
    for _ in range(30):
        if rng.random() < 0.5:
            count = int(rng.integers(1, 2 * TILE + 2))
            vectors = rng.normal(size=(count, 4)).astype(np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            ids = next_id + np.sort(rng.choice(3 * count, count, replace=False))
            next_id = int(ids[-1]) + 1
            pids = rng.integers(0, 3, count)
            matrix.put(columns(ids, pids), vectors)
            model |= {int(n): (v, int(p)) for n, v, p in zip(ids, vectors, pids, strict=True)}
        elif model and rng.random() < 0.5:
            changed = rng.choice(sorted(model), min(3, len(model)), replace=False)
            vectors = np.stack([model[int(number)][0] for number in changed])
            matrix.put(columns(changed, np.full(len(changed), 9)), vectors)
            model |= {int(number): (model[int(number)][0], 9) for number in changed}
        elif model:
            gone = rng.choice(sorted(model), rng.integers(1, len(model) + 1), replace=False)
            matrix.remove(np.array([*gone, 10_000]))
            for number in gone.tolist():
                del model[number]
        assert len(matrix) == len(model)
        queries = rng.normal(size=(5, 4)).astype(np.float32)
        for condition in (Condition(), make_condition(only={"pid": [1, 9]})):
            rows = {n: v for n, (v, pid) in model.items() if not condition.only or pid in (1, 9)}
            for count in (6, 25):
                for query, ids in zip(queries, matrix.nearest(queries, count, condition), strict=True):
                    best = sorted(rows, key=lambda n: -float(rows[n] @ query))[:count]
                    assert ids.tolist() == best


def test_a_matrix_without_rows_finds_nothing() -> None:
    (ids,) = Matrix(4).nearest(np.ones((1, 4), np.float32), 3, Condition())
    assert ids.tolist() == []


def columns(ids: np.ndarray, pids: np.ndarray) -> dict[str, np.ndarray]:
    zeros = np.zeros(len(ids), np.int64)
    times = np.full(len(ids), np.nan)
    return {"id": ids, "camera": zeros, "tracklet": zeros, "pid": pids, "time": times, "moment": times + 1}
