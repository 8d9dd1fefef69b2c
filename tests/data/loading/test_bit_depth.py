from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from reid_gl.data.loading import bit_depth
from reid_gl.data.loading.bit_depth import to_8_bits


@pytest.fixture(autouse=True)
def _nothing_said_yet() -> Iterator[None]:
    bit_depth._say_once.cache_clear()
    yield
    bit_depth._say_once.cache_clear()


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ([0, 255, 256, 4_096, 65_535], [0, 0, 1, 16, 255]),
        ([0, 15, 16, 256, 4_095], [0, 0, 1, 16, 255]),
        ([0, 256], [0, 16]),
        ([0, 4_096], [0, 16]),
        ([0, 1, 255], [0, 1, 255]),
        ([0, 0], [0, 0]),
        ([], []),
    ],
)
def test_the_highest_8_bits_of_the_smallest_depth_that_holds_it(
    pixels: list[int], expected: list[int]
) -> None:
    found = to_8_bits(np.array(pixels, dtype=np.uint16))
    assert (found.dtype, found.tolist()) == (np.uint8, expected)


@pytest.mark.parametrize("bits", bit_depth.BIT_DEPTHS)
def test_order_and_both_ends_are_kept_and_the_shape_too(bits: int) -> None:
    pixels = np.linspace(0, (1 << bits) - 1, 600).round().astype(np.uint16).reshape(10, 20, 3)
    found = to_8_bits(pixels)
    assert found.shape == pixels.shape
    assert (np.diff(found.ravel().astype(int)) >= 0).all()
    assert (found.min(), found.max()) == (0, 255)


def test_each_depth_that_is_guessed_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    for brightest in (65_535, 0, 4_095, 256, 255, 1):
        to_8_bits(np.array([brightest], dtype=np.uint16))
    assert caplog.messages == [
        "a 16-bit image has no value above 4,095: it is read as 12-bit, and so is every other such image",
        "a 16-bit image has no value above 255: it is read as 8-bit, and so is every other such image",
    ]
