from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, Resize, functional

from reid_gl.data.loading.images import UnreadableImageError
from reid_gl.data.loading.transforms import (
    ANTIALIASED,
    KERNELS,
    Preprocessing,
    check_colors,
    scale_shorter_side,
)


def _image(seed: int = 0, size: tuple[int, int] = (64, 32)) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)


def test_resize_to_the_same_size_is_the_identity() -> None:
    image = _image()
    assert np.array_equal(Preprocessing(height=64, width=32).resize(image), image)


@pytest.mark.parametrize("kernel", [*KERNELS, *ANTIALIASED])
def test_resize_gives_rows_by_columns_and_keeps_plain_colours(kernel: str) -> None:
    image = np.full((50, 70, 3), (10, 20, 30), dtype=np.uint8)
    resized = Preprocessing(height=24, width=12, kernel=kernel).resize(image)
    assert resized.dtype == np.uint8
    assert resized.shape == (24, 12, 3)
    assert (resized == (10, 20, 30)).all()


def test_area_averages_what_it_shrinks() -> None:
    image = np.array([[[0] * 3, [100] * 3], [[20] * 3, [80] * 3]], dtype=np.uint8)
    assert Preprocessing(height=1, width=1, kernel="area").resize(image).tolist() == [[[50, 50, 50]]]


@pytest.mark.parametrize(
    ("kernel", "peer"), [("antialiased_linear", "BILINEAR"), ("antialiased_cubic", "BICUBIC")]
)
def test_antialiased_kernels_are_torchvisions_on_pil_images(kernel: str, peer: str) -> None:
    image = _image(size=(150, 61))
    expected = functional.resize(Image.fromarray(image), [24, 12], functional.InterpolationMode[peer])
    preprocessing = Preprocessing(height=24, width=12, kernel=kernel)
    assert np.array_equal(preprocessing.resize(image), np.asarray(expected))
    assert not np.array_equal(
        Preprocessing(24, 12, kernel.removeprefix("antialiased_")).resize(image), expected
    )
    grey = preprocessing.resize(image[..., :1])
    assert np.array_equal(grey, preprocessing.resize(image[..., 0]))
    transparent = np.dstack([image, np.zeros((150, 61), np.uint8)])  # does not darken what it hides
    assert np.array_equal(preprocessing.resize(transparent), preprocessing.resize(image))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_other_channel_order_by_hand(layout: torch.memory_format) -> None:
    preprocessing = Preprocessing(mean=(0.5, 0.0, 1.0), std=(0.25, 1.0, 0.5), channel_order="bgr")
    images = torch.tensor([255, 0, 51], dtype=torch.uint8).reshape(1, 3, 1, 1).expand(2, 3, 5, 4)
    normalised = preprocessing.normalize(images.contiguous(memory_format=layout))
    assert normalised[1, :, 4, 3].tolist() == pytest.approx([(0.2 - 1) / 0.5, 0.0, (1 - 0.5) / 0.25])
    rgb = replace(preprocessing, channel_order="rgb").normalize(images)
    assert torch.equal(normalised, rgb.flip(1))


@pytest.mark.parametrize("mean", [(123.7, 116.3, 103.5), (-0.1, 0.0, 0.0), (float("nan"), 0.0, 0.0)])
def test_colours_that_cannot_be(mean: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"do not fit colours in \[0, 1\]: divide values .* by 255"):
        check_colors(mean, (0.2, 0.2, 0.2))
    with pytest.raises(ValueError, match="deviation"):
        check_colors((0.5, 0.5, 0.5), (57.0, 1.0, 1.0))
    check_colors((0.0, 0.5, 1.0), (1.0, 0.2, 1 / 255))


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


@pytest.mark.parametrize("num_images", [1, 3])
def test_normalize_gives_the_same_bits_in_any_memory_format_and_leaves_its_input(num_images: int) -> None:
    preprocessing = Preprocessing()
    given = torch.from_numpy(np.stack([_image(seed) for seed in range(num_images)])).permute(0, 3, 1, 2)
    first = preprocessing.normalize(given.contiguous())
    assert torch.equal(preprocessing.normalize(given), first)
    assert preprocessing.normalize(given).is_contiguous(memory_format=torch.channels_last)
    numbers = given.float()
    assert torch.equal(preprocessing.normalize(numbers), first)
    assert torch.equal(numbers, given.float())


def test_the_centre_lies_where_torchvision_has_it() -> None:
    for seed in range(15):
        rng = np.random.default_rng(seed)
        image = _image(seed, (int(rng.integers(1, 90)), int(rng.integers(1, 90))))
        height, width = int(rng.integers(1, 40)), int(rng.integers(1, 40))
        side = max(height, width) + int(rng.integers(0, 30))
        columns, rows = Resize(side)(Image.fromarray(image)).size
        scaled = cv2.resize(image, (columns, rows), interpolation=cv2.INTER_LINEAR)
        expected = CenterCrop((height, width))(torch.from_numpy(scaled).permute(2, 0, 1)).permute(1, 2, 0)
        resized = Preprocessing(height, width, shorter_side=side).resize(image)
        assert np.array_equal(resized, expected)
        assert min(scaled.shape[:2]) == side


def test_the_centre_by_hand() -> None:
    image = np.arange(5, dtype=np.uint8)[None, :, None].repeat(2, axis=0).repeat(3, axis=2)  # 2 x 5
    centre = Preprocessing(2, 2, shorter_side=2).resize(image)
    assert centre[:, :, 0].tolist() == [[2, 3], [2, 3]]  # 1.5 columns to skip: half to even, as torchvision
    assert Preprocessing(1, 2, shorter_side=2).resize(image)[:, :, 0].tolist() == [[2, 3]]


@pytest.mark.parametrize("kernel", KERNELS)
def test_scaling_keeps_the_shape_and_uses_the_kernel(kernel: str) -> None:
    image = _image(size=(30, 47))
    scaled = scale_shorter_side(image, 10, kernel=kernel)
    assert np.array_equal(scaled, cv2.resize(image, (15, 10), interpolation=KERNELS[kernel]))  # 15.67 down
    assert np.array_equal(scale_shorter_side(image[:, :30], 30, kernel=kernel), image[:, :30])


def test_grey_images_and_layers_of_transparency_are_cut_too() -> None:
    preprocessing = Preprocessing(4, 4, shorter_side=8)
    assert preprocessing.resize(_image()[..., 0]).shape == (4, 4)
    assert preprocessing.resize(np.dstack([_image(), _image()[..., 0]])).shape == (4, 4, 4)


def test_a_line_is_not_blown_up() -> None:
    line = np.zeros((1, 40_000, 3), dtype=np.uint8)
    with pytest.raises(
        UnreadableImageError,
        match=r"^image line.png of 40000 x 1 pixels is too narrow for a shorter side of 64",
    ):
        Preprocessing(64, 64, shorter_side=64).resize(line, name="line.png")


def test_older_checkpoints_squeeze() -> None:
    values = Preprocessing(height=64).to_dict()
    del values["shorter_side"]
    assert Preprocessing.from_dict(values) == Preprocessing(height=64)
    assert Preprocessing.from_dict(values).shorter_side == 0


def test_dict_round_trip_also_through_json() -> None:
    preprocessing = Preprocessing(height=384, kernel="cubic", mean=(0.1, 0.2, 0.3), shorter_side=400)
    assert Preprocessing.from_dict(preprocessing.to_dict()) == preprocessing
    assert Preprocessing.from_dict(json.loads(json.dumps(preprocessing.to_dict()))) == preprocessing


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 0}, "the input size must be positive, and at most 4096 each way, got 0 x 128"),
        (
            {"height": 64.5},
            "the input size must be positive, and at most 4096 each way, got 64.5 x 128",
        ),
        (
            {"kernel": "nearest"},
            "unknown kernel 'nearest': expected one of linear, cubic, area, antialiased_linear, anti",
        ),
        (
            {"channel_order": "RGB"},
            "channel_order, of the network's input, must be rgb or bgr, got 'RGB'",
        ),
        ({"std": (1.0, 0.0, 1.0)}, "mean and std need three numbers, std positive"),
        ({"mean": (0.5,)}, "mean and std need three numbers"),
        ({"shorter_side": 255}, "a centre crop of 256 x 128 does not fit .* shorter side of 255: raise"),
        ({"shorter_side": -1}, "a shorter side of -1"),
    ],
)
def test_preprocessing_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Preprocessing(**changes)
