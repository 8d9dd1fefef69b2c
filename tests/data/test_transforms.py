from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_gl.data.transforms import KERNELS, Augmentation, Preprocessing


def _image(seed: int = 0, size: tuple[int, int] = (64, 32)) -> np.ndarray:
    """No black pixels, so that padding shows."""
    return np.random.default_rng(seed).integers(1, 256, (*size, 3), dtype=np.uint8)


def test_resize_to_the_same_size_is_the_identity() -> None:
    image = _image()
    assert np.array_equal(Preprocessing(height=64, width=32).resize(image), image)


@pytest.mark.parametrize("kernel", KERNELS)
def test_resize_gives_rows_by_columns_and_keeps_plain_colours(kernel: str) -> None:
    image = np.full((50, 70, 3), (10, 20, 30), dtype=np.uint8)
    resized = Preprocessing(height=24, width=12, kernel=kernel).resize(image)
    assert resized.dtype == np.uint8
    assert resized.shape == (24, 12, 3)
    assert (resized == (10, 20, 30)).all()


def test_area_averages_what_it_shrinks() -> None:
    image = np.array([[[0] * 3, [100] * 3], [[20] * 3, [80] * 3]], dtype=np.uint8)
    assert Preprocessing(height=1, width=1, kernel="area").resize(image).tolist() == [[[50, 50, 50]]]


def test_normalize_by_hand() -> None:
    preprocessing = Preprocessing(mean=(0.5, 0.0, 1.0), std=(0.25, 1.0, 0.5))
    images = torch.tensor([255, 0, 51], dtype=torch.uint8).reshape(1, 3, 1, 1)
    normalised = preprocessing.normalize(images)
    assert normalised.dtype == torch.float32
    assert normalised.flatten().tolist() == pytest.approx([(1 - 0.5) / 0.25, 0.0, (0.2 - 1) / 0.5])


def test_normalize_agrees_with_the_three_steps() -> None:
    preprocessing = Preprocessing()
    images = torch.from_numpy(_image()).permute(2, 0, 1)[None]
    steps = images / 255.0
    for channel in range(3):
        steps[:, channel] = (steps[:, channel] - preprocessing.mean[channel]) / preprocessing.std[channel]
    assert torch.allclose(preprocessing.normalize(images), steps, atol=1e-6)


def test_dict_round_trip_also_through_json() -> None:
    preprocessing = Preprocessing(height=384, kernel="cubic", mean=(0.1, 0.2, 0.3))
    assert Preprocessing.from_dict(preprocessing.to_dict()) == preprocessing
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 0}, "the input size must be positive, got 0 x 128"),
        ({"kernel": "nearest"}, "unknown kernel 'nearest': expected one of linear, cubic, area"),
        ({"std": (1.0, 0.0, 1.0)}, "mean and std need three numbers, std positive"),
        ({"mean": (0.5,)}, "mean and std need three numbers"),
    ],
)
def test_preprocessing_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing(**changes)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    pad=st.integers(0, 50),
    color_gain=st.sampled_from([0.0, 0.3]),
)
def test_augmentation_follows_the_generator_and_leaves_its_input_alone(
    seed: int, size: tuple[int, int], pad: int, color_gain: float
) -> None:
    image, original = _image(seed, size), _image(seed, size)
    augmentation = Augmentation(pad=pad, color_gain=color_gain)
    first, second = (augmentation(image, np.random.default_rng(seed)) for _ in range(2))
    assert np.array_equal(first, second)
    assert first.shape == image.shape
    assert first.dtype == np.uint8
    assert np.array_equal(image, original)
    assert not np.shares_memory(first, image)


def test_augmentation_draws_differ() -> None:
    rng = np.random.default_rng(0)
    drawn = {Augmentation()(_image(), rng).tobytes() for _ in range(20)}
    assert len(drawn) == 20


@pytest.mark.parametrize("seed", range(20))
def test_nothing_but_the_flip(seed: int) -> None:
    image, rng = _image(), np.random.default_rng(seed)
    assert np.array_equal(Augmentation(flip=1, pad=0, erase=0)(image, rng), image[:, ::-1])
    assert np.array_equal(Augmentation(flip=0, pad=0, erase=0)(image, rng), image)


@pytest.mark.parametrize("seed", range(20))
def test_pad_and_crop_is_a_shift_over_black(seed: int) -> None:
    """Compared with padding and cutting literally, at every place a cut could start."""
    image = _image(seed, (9, 7))
    cropped = Augmentation(flip=0, pad=3, erase=0)(image, np.random.default_rng(seed))
    padded = np.pad(image, ((3, 3), (3, 3), (0, 0)))
    cuts = [padded[top : top + 9, left : left + 7] for top in range(7) for left in range(7)]
    assert sum(np.array_equal(cropped, cut) for cut in cuts) == 1


def test_every_shift_comes_up() -> None:
    rng = np.random.default_rng(0)
    shifted = {Augmentation(flip=0, pad=1, erase=0)(_image(), rng).tobytes() for _ in range(200)}
    assert len(shifted) == 9


@pytest.mark.parametrize("seed", range(20))
def test_one_rectangle_within_limits_is_erased(seed: int) -> None:
    image = _image(seed, (256, 128))
    image[(image == (1, 2, 3)).all(axis=2)] = 9
    augmentation = Augmentation(flip=0, pad=0, erase=1, fill=(1, 2, 3))
    changed = (augmentation(image, np.random.default_rng(seed)) != image).any(axis=2)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
    assert changed.sum() == height * width  # a full rectangle
    assert 0.02 * 0.95 < changed.mean() < 0.4 * 1.05  # sides are rounded to whole pixels
    assert 0.3 * 0.9 < height / width < 1 / 0.3 * 1.1
    erased = augmentation(image, np.random.default_rng(seed))[changed]
    assert (erased == (1, 2, 3)).all()


def test_light_multiplies_each_channel_by_a_gain() -> None:
    augmentation = Augmentation(flip=0, pad=0, erase=0, color_gain=0.2)
    image, rng = np.tile(np.array([[[60], [120]]], dtype=np.uint8), (1, 1, 3)), np.random.default_rng(0)
    lit = np.array([augmentation(image, rng) for _ in range(1000)]).astype(float)  # (1000, 1, 2, 3)
    dark, bright = lit[:, 0, 0], lit[:, 0, 1]
    assert (np.abs(np.minimum(2 * dark, 254) - bright) <= 2)[bright < 250].all()
    logarithms = np.log(dark / 60)
    assert logarithms.std() == pytest.approx(0.2 * 2**0.5, rel=0.1)  # a gain per channel, one for all
    assert logarithms.mean() == pytest.approx(0, abs=0.03)
    assert np.corrcoef(logarithms.T)[0, 1] == pytest.approx(0.5, abs=0.1)


def test_light_leaves_black_black_and_white_at_most_white() -> None:
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    image[2:] = 255
    for seed in range(20):
        lit = Augmentation(flip=0, pad=0, erase=0, color_gain=1.0)(image, np.random.default_rng(seed))
        assert lit[:2].max() == 0
        assert len(np.unique(lit[2:].reshape(-1, 3), axis=0)) == 1


def test_chances_are_kept() -> None:
    rng, image = np.random.default_rng(0), _image(size=(16, 8))
    flips = [np.array_equal(Augmentation(flip=0.3, pad=0, erase=0)(image, rng), image) for _ in range(1000)]
    assert np.mean(flips) == pytest.approx(0.7, abs=0.05)
    kept = [np.array_equal(Augmentation(flip=0, pad=0, erase=0.3)(image, rng), image) for _ in range(1000)]
    assert np.mean(kept) == pytest.approx(0.7, abs=0.05)


def test_a_rectangle_that_never_fits_erases_nothing() -> None:
    augmentation = Augmentation(flip=0, pad=0, erase=1, erase_area=(1.0, 1.0))
    image = _image()
    assert np.array_equal(augmentation(image, np.random.default_rng(0)), image)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flip": 1.5}, r"flip and erase are chances in \[0, 1\].* got 1.5"),
        ({"erase": -0.1}, "flip and erase are chances"),
        ({"pad": -1}, "pad and color_gain are not negative, got .* -1 "),
        ({"color_gain": -0.5}, "pad and color_gain are not negative, got .* and -0.5"),
        ({"erase_area": (0.4, 0.02)}, r"erased areas must rise inside \(0, 1\]"),
        ({"erase_area": (0.0, 0.4)}, "erased areas must rise"),
        ({"erase_aspect": 2.0}, r"the aspect lie in \(0, 1\]"),
    ],
)
def test_augmentation_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(**changes)
