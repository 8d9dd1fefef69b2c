"""An index of faiss with lists of our own."""

from __future__ import annotations

import numpy as np

from reid_gl.gallery.engines.ivf.ivf_index import train_index

WIDTH = 16


def test_people_with_many_equal_rows_are_found() -> None:
    people = np.random.default_rng(0).normal(size=(3, WIDTH))
    people /= np.linalg.norm(people, axis=1, keepdims=True)
    rows = np.repeat(people, 400, axis=0).astype(np.float32)
    index = train_index(rows, 64, 4)
    index.add(np.arange(len(rows)), rows)
    for person, query in enumerate(people.astype(np.float32)):
        (found,) = index.nearest(query[None], 400, probes=1)
        assert np.array_equal(np.sort(found), np.arange(400) + 400 * person)


def test_rows_of_other_types_and_orders_can_be_added() -> None:
    rows = np.random.default_rng(1).normal(size=(300, WIDTH)).astype(np.float32)
    index = train_index(rows, 5, 4)
    index.add(np.arange(150), rows[::2])
    index.add(np.arange(150, 300), rows[1::2].astype(np.float64))
    assert index.ids().tolist() == list(range(300))
