from __future__ import annotations

import numpy as np
import pytest

from reid_gl.data.datasets.reading.person_search import (
    corners_of,
    make_search,
    read_box,
    read_structures,
    read_text,
)
from reid_gl.records import Sample


@pytest.mark.parametrize(
    ("box", "corners"),
    [
        ([10.6, 20.4, 5.0, 9.0], (11, 20, 16, 29)),
        ([-3.0, -2.0, 5.0, 9.0], (-3, -2, 2, 7)),  # partly outside the frame
        ([-5.0, 1.0, 5.0, 9.0], None),
        ([1.0, 2.0, 0.0, 9.0], None),
        ([1.0, 2.0, 5.0, 0.2], None),
    ],
)
def test_corners(box: list[float], corners: tuple[int, ...] | None) -> None:
    assert corners_of(box) == corners


def test_structures_and_cells_of_them() -> None:
    array = np.empty((2, 1), dtype=[("name", object), ("box", object)])
    array[0, 0], array[1, 0] = ("a", 1), ("b", 2)
    assert read_structures(array, ("box", "name"), "x") == [(1, "a"), (2, "b")]
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = array
    assert read_structures(cell, ("name",), "x") == [("a",), ("b",)]
    for other in (np.eye(2), "text", cell[:0]):
        with pytest.raises(ValueError, match="x has no structures with the fields name; take it from"):
            read_structures(other, ("name",), "x")


def test_texts_and_boxes() -> None:
    assert read_text(np.array(["s1.jpg"])) == "s1.jpg"
    assert [read_text(value) for value in (np.array([1]), np.array(["a", "b"]), np.zeros(0))] == [""] * 3
    assert read_box(np.array([[1, 2, 3, 4]], np.uint8), "x") == [1, 2, 3, 4]
    assert read_box(np.zeros((0, 0)), "x") is None
    for other in (np.array([1, 2, 3]), np.array([1, 2, np.nan, 4]), np.array(["1", "2", "3", "4"])):
        with pytest.raises(ValueError, match="x has a box that is not x, y, width and height; take it"):
            read_box(other, "x")


def test_what_person_search_needs_to_know() -> None:
    searched = np.array([[True, False], [True, True]])
    gallery = [Sample("b.jpg", 1, box=(1, 2, 3, 4)), Sample("a.jpg", 0, box=(5, 6, 7, 8))]
    search = make_search(["a.jpg", "b.jpg"], gallery, searched, [{}, {1: (1, 2, 3, 4), 0: (5, 5, 6, 6)}])
    assert search.scenes.tolist() == [1, 0]
    assert search.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert search.targets.tolist() == [[1, 0], [1, 1]]
    assert search.target_boxes.tolist() == [[5, 5, 6, 6], [1, 2, 3, 4]]
    empty = make_search(["a.jpg"], [], np.ones((1, 1), np.bool_), [{}])
    assert (empty.boxes.shape, empty.targets.shape, empty.target_boxes.shape) == ((0, 4), (0, 2), (0, 4))
