from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.crops import as_corners, check_image_array, cut_boxes, resize_crops

PREPROCESSING = Preprocessing(16, 8)


def _frame(seed: int, shape: tuple[int, ...] = (40, 60, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape).astype(np.uint8)


def test_the_three_formats_say_the_same_box() -> None:
    expected = [[10.0, 20.0, 40.0, 80.0]]
    assert as_corners([[10, 20, 40, 80]], "xyxy").tolist() == expected
    assert as_corners([[10, 20, 30, 60]], "tlwh").tolist() == expected
    assert as_corners([[25, 50, 30, 60]], "cxcywh").tolist() == expected


@pytest.mark.parametrize(
    "boxes",
    [
        [[10, 20, 40, 80]],
        ((10.0, 20.0, 40.0, 80.0),),
        np.array([[10, 20, 40, 80, 0.9, 0]], np.float32),
        torch.tensor([[10, 20, 40, 80]]),
    ],
)
def test_boxes_of_any_kind(boxes: Any) -> None:
    assert as_corners(boxes, "xyxy").tolist() == [[10, 20, 40, 80]]


@pytest.mark.parametrize("nothing", [[], np.empty((0, 4)), np.empty((0, 6)), torch.empty(0, 4)])
def test_no_boxes(nothing: Any) -> None:
    assert as_corners(nothing, "tlwh").shape == (0, 4)


def test_boxes_are_not_changed() -> None:
    boxes = np.array([[25.0, 50.0, 30.0, 60.0]])
    as_corners(boxes, "cxcywh")
    assert boxes.tolist() == [[25, 50, 30, 60]]


SHARES = {
    "xyxy": [[0.1, 0.2, 0.4, 0.9], [0.5, 0.0, 1.0, 1.0]],
    "tlwh": [[0.1, 0.2, 0.3, 0.7], [0.5, 0.0, 0.5, 1.0]],
    "cxcywh": [[0.25, 0.55, 0.3, 0.7], [0.75, 0.5, 0.5, 1.0]],
}


@pytest.mark.parametrize("box_format", SHARES)
def test_shares_of_the_frame_are_refused_and_the_advice_works(box_format: str) -> None:
    shares = np.array(SHARES[box_format])
    with pytest.raises(
        ValueError, match=r"in pixels, got \[0\.\d+, .*: multiply them by its width and height"
    ):
        as_corners(shares, box_format)
    with_a_gap = np.vstack([[np.nan] * 4, [0.0] * 4, shares])
    with pytest.raises(ValueError, match="boxes must be in pixels"):
        as_corners(with_a_gap, box_format)
    pixels = as_corners(shares * [60, 40, 60, 40], box_format)
    np.testing.assert_allclose(pixels, [[6, 8, 24, 36], [30, 0, 60, 40]])


@pytest.mark.parametrize(
    "boxes",
    [
        [[0, 0, 0, 0], [0, 0, 1, 1]],  # padding; the first pixel
        [[0.0, 0.0, 0.4, 0.7]],  # what a tracker clips at the corner
        [[0.2, 0.3, 0.9, 0.8], [10, 20, 40, 80]],  # others are in pixels
        [[-0.3, 0.2, 0.4, 0.9]],
        [[np.nan] * 4],
    ],
)
def test_small_boxes_in_pixels_remain(boxes: Any) -> None:
    np.testing.assert_array_equal(as_corners(boxes, "xyxy"), boxes)


def test_errors_of_boxes() -> None:
    with pytest.raises(ValueError, match="unknown box format 'xywh': expected one of xyxy, tlwh, cxcywh"):
        as_corners([[1, 2, 3, 4]], "xywh")
    with pytest.raises(ValueError, match=r"boxes must have shape \(N, 4\), got \(4,\)"):
        as_corners([1, 2, 3, 4], "xyxy")
    with pytest.raises(ValueError, match=r"boxes must have shape \(N, 4\), got \(1, 3\)"):
        as_corners([[1, 2, 3]], "xyxy")


@pytest.mark.parametrize(
    ("box", "rows", "columns"),
    [
        ((5, 6, 9, 12), (6, 12), (5, 9)),
        ((5.9, 6.9, 9.9, 12.9), (6, 12), (5, 9)),  # truncated, not rounded
        ((-7.5, -3, 4, 5), (0, 5), (0, 4)),
        ((55, 35, 99, 99), (35, 40), (55, 60)),
        ((-np.inf, 0, np.inf, 40), (0, 40), (0, 60)),
    ],
)
def test_a_crop_is_what_lies_in_the_clipped_box(
    box: tuple[float, ...], rows: tuple[int, int], columns: tuple[int, int]
) -> None:
    frame = _frame(0)
    crop = cut_boxes(frame, np.array([box], float))[0]
    assert crop is not None
    np.testing.assert_array_equal(crop, frame[slice(*rows), slice(*columns)])


@pytest.mark.parametrize(
    "box",
    [(5, 6, 5, 12), (9, 6, 5, 12), (5.2, 6, 5.9, 12), (60, 0, 70, 9), (-9, 0, -1, 9), (np.nan, 0, 5, 9)],
)
def test_a_box_with_nothing_in_it_gives_no_crop(box: tuple[float, ...]) -> None:
    assert cut_boxes(_frame(0), np.array([box], float)) == [None]


def test_crops_of_any_size_become_rgb_of_one_size() -> None:
    rgb = _frame(1)
    expected = PREPROCESSING.resize(rgb)
    bgra = np.concatenate([rgb[..., ::-1], _frame(2, (40, 60, 1))], axis=2)
    np.testing.assert_array_equal(resize_crops([rgb], PREPROCESSING)[0], expected)
    np.testing.assert_array_equal(
        resize_crops([rgb[..., ::-1], bgra], PREPROCESSING, color_order="bgr"), [expected, expected]
    )
    grey = rgb[..., 0]
    for image in (grey, grey[..., None]):
        images = resize_crops([image, None], PREPROCESSING)
        np.testing.assert_array_equal(images[0], np.repeat(PREPROCESSING.resize(grey)[..., None], 3, axis=2))
        assert not images[1].any()


@pytest.mark.parametrize(
    ("image", "error", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), TypeError, "frame must be an array of uint8"),
        (None, TypeError, "frame must be an array of uint8 in .*, got NoneType"),
        (np.zeros((4, 4, 2), np.uint8), ValueError, r"frame must have shape .* got \(4, 4, 2\)"),
        (np.zeros((2, 4, 4, 3), np.uint8), ValueError, r"frame must have shape .* got \(2, 4, 4, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), ValueError, r"frame must have shape .* got \(0, 4, 3\)"),
    ],
)
def test_what_is_no_image(image: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        check_image_array(image, "frame")
