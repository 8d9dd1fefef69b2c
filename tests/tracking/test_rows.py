from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from reid_gl.tracking.rows import NonZeroFeatures, check_rows

BLACK = np.array([0.6, 0.8], np.float32)


class Extractor:
    """The feature of a crop is its first pixel; a box of zero width holds nothing."""

    embedding_dim = 2

    def __init__(self, black: np.ndarray) -> None:
        self.black, self.num_black = black, 0

    def extract(self, frame: np.ndarray, boxes: np.ndarray, box_format: str) -> Any:
        assert box_format == "ltwh"
        rows = [frame[box[1], box[0], :2] * (box[2] > 0) for box in boxes]
        return SimpleNamespace(features=np.array(rows, np.float32))

    def __call__(self, crops: list[np.ndarray]) -> np.ndarray:
        assert all(crop.size for crop in crops)
        return np.array([crop[0, 0, :2] for crop in crops], np.float32).reshape(-1, 2)

    def embed_black(self) -> np.ndarray:
        self.num_black += 1
        return self.black


def test_boxes_with_nothing_in_them_look_black_and_black_is_computed_once() -> None:
    extractor = Extractor(BLACK)
    features = NonZeroFeatures(extractor)  # type: ignore[arg-type]
    frame = np.arange(1, 13, dtype=np.uint8).reshape(2, 2, 3)
    for _ in range(2):
        found = features.of_boxes(frame, np.array([[1, 0, 3, 3], [0, 0, 0, 3], [0, 1, 1, 1]]), "ltwh")
        np.testing.assert_array_equal(found, [[4, 5], BLACK, [7, 8]])
        found[1] = 9  # the next answer is not this one
    assert extractor.num_black == 1


def test_empty_crops_keep_their_places() -> None:
    features = NonZeroFeatures(Extractor(BLACK))  # type: ignore[arg-type]
    crop, black = np.full((2, 1, 3), 5, np.uint8), np.zeros((2, 1, 3), np.uint8)
    found = features.of_crops([crop[:0], crop, black, crop[:, :0]])
    np.testing.assert_array_equal(found, [BLACK, [5, 5], BLACK, BLACK])
    assert features.of_crops([]).shape == (0, 2)


def test_where_black_is_zero_too_all_components_are_equal() -> None:
    features = NonZeroFeatures(Extractor(np.zeros(2, np.float32)))  # type: ignore[arg-type]
    np.testing.assert_allclose(
        features.of_crops([np.zeros((1, 1, 3), np.uint8)]), [[0.5**0.5] * 2], rtol=1e-6
    )


def _case() -> tuple[np.ndarray, np.ndarray]:
    return np.arange(1.0, 61.0).reshape(6, 10), np.ones((6, 4))


def test_what_fits_comes_back_as_arrays() -> None:
    table, values = check_rows([[1, 2], [1, 3]], [[1], [2]])
    assert (table.dtype, values.dtype) == (np.float64, np.float32)
    assert (table.tolist(), values.tolist()) == ([[1, 2], [1, 3]], [[1], [2]])
    assert len(check_rows(np.empty((0, 10)), np.empty((0, 8)))[0]) == 0


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        ((4, 0), 0, r"row 4 has no frame number: frames are counted 1, 2, \.\.\. \(1 such rows\)"),
        ((4, 0), 1.5, "row 4 has no frame number"),
        ((slice(2, 5), 3), np.nan, r"row 2 is not finite: leave the detection out \(3 such rows\)"),
    ],
)
def test_broken_rows_are_named(place: Any, value: float, message: str) -> None:
    rows, features = _case()
    rows[place] = value
    with pytest.raises(ValueError, match=message):
        check_rows(rows, features)


def test_broken_features_are_named() -> None:
    rows, features = _case()
    for few in (features[:5], features[:, 0]):
        with pytest.raises(ValueError, match=r"must be \(N, columns\) and \(N, D\), got \(6, 10\) and \("):
            check_rows(rows, few)
    features[5] = 0
    with pytest.raises(ValueError, match="row 5 has a feature of zeros, which trackers divide by"):
        check_rows(rows, features)
    features[2, 1] = np.inf
    with pytest.raises(ValueError, match="row 2 has a feature that is not finite"):
        check_rows(rows, features)
