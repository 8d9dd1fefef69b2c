from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.transforms import RandomResizedCrop

from reid_gl.data.loading.augmentation import CROP_ASPECT, NUM_ATTEMPTS, Augmentation
from reid_gl.data.loading.random_changes import Changes
from tests.reference.slow_augmentation import slow_change

CROPS = Augmentation(pad=0, crop_area=(0.2, 0.9))


def _image(seed: int = 0, size: tuple[int, int] = (64, 32)) -> np.ndarray:
    """No black pixels, so that padding shows."""
    return np.random.default_rng(seed).integers(1, 256, (*size, 3), dtype=np.uint8)


def _changed(augmentation: Augmentation, image: np.ndarray, *, seed: int = 0, num: int = 1) -> np.ndarray:
    """(num, H, W, 3): the image at every place of a batch."""
    changes = augmentation.draw((seed,), num, *image.shape[:2])
    out = np.empty((num, *image.shape), dtype=np.uint8)
    for place in range(num):
        changes.write(place, image, out[place])
    return out


def _attempts(seed: int, num: int = 1) -> np.ndarray:
    cropping = CROPS.draw((seed,), num, 8, 8).cropping
    assert cropping is not None
    return cropping


def _coordinates(height: int, width: int) -> np.ndarray:
    """An image whose pixels are their places."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([rows, columns, columns]).astype(np.int64)


def _parts(changes: Changes) -> list[np.ndarray]:
    return [changes.flip, changes.shift, changes.erased, changes.light, changes.cropping]  # type: ignore[list-item]


def test_a_image_s_changes_follow_from_key_and_place_not_from_the_batch() -> None:
    for seed in range(8):
        augmentation = Augmentation(pad=0, color_gain=0.2, crop_area=(0.1, 1.0))
        many, few = (augmentation.draw((seed, 5), num, 64, 32) for num in (9, 4))
        for larger, smaller in zip(_parts(many), _parts(few), strict=True):
            assert np.array_equal(larger[:4], smaller)
        other = augmentation.draw((seed, 6), 9, 64, 32)
        assert not np.array_equal(other.erased, many.erased)
        assert not np.array_equal(other.light, many.light)


def test_draws_differ() -> None:
    assert len({image.tobytes() for image in _changed(Augmentation(), _image(), num=20)}) == 20


@pytest.mark.parametrize("color_gain", [0.0, 0.3])
def test_agrees_with_one_step_after_the_other(color_gain: float) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        image = _image(seed, (int(rng.integers(1, 60)), int(rng.integers(1, 60))))
        augmentation = Augmentation(pad=int(rng.integers(0, 70)), color_gain=color_gain, erase=0.8)
        changed = _changed(augmentation, image, seed=seed, num=6)
        for place in range(6):
            assert np.array_equal(changed[place], slow_change(augmentation, image, (seed,), place))


def test_nothing_but_the_flip() -> None:
    image = _image()
    assert (_changed(Augmentation(flip=1, pad=0, erase=0), image, num=20) == image[:, ::-1]).all()
    assert (_changed(Augmentation(flip=0, pad=0, erase=0), image, num=20) == image).all()


def test_pad_and_crop_is_a_shift_over_black() -> None:
    """Compared with padding and cutting literally, at every place a cut could start."""
    for seed in range(8):
        image = _image(seed, (9, 7))
        cropped = _changed(Augmentation(flip=0, pad=3, erase=0), image, seed=seed)[0]
        padded = np.pad(image, ((3, 3), (3, 3), (0, 0)))
        cuts = [padded[top : top + 9, left : left + 7] for top in range(7) for left in range(7)]
        assert sum(np.array_equal(cropped, cut) for cut in cuts) == 1


def test_every_shift_comes_up_as_often() -> None:
    shift = Augmentation(pad=1).draw((0,), 9000, 64, 32).shift
    places, counts = np.unique(shift, axis=0, return_counts=True)
    assert len(places) == 9
    assert places.min() == -1
    assert counts == pytest.approx(1000, rel=0.1)


def test_one_rectangle_within_limits_is_erased() -> None:
    for seed in range(8):
        image = _image(seed, (256, 128))
        image[(image == (1, 2, 3)).all(axis=2)] = 9
        augmentation = Augmentation(flip=0, pad=0, erase=1, fill=(1, 2, 3))
        erased = _changed(augmentation, image, seed=seed)[0]
        changed = (erased != image).any(axis=2)
        rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
        height, width = np.ptp(rows) + 1, np.ptp(columns) + 1
        assert changed.sum() == height * width  # a full rectangle
        assert 0.02 * 0.95 < changed.mean() < 0.4 * 1.05  # sides are rounded to whole pixels
        assert 0.3 * 0.9 < height / width < 1 / 0.3 * 1.1
        assert (erased[changed] == (1, 2, 3)).all()


def test_light_multiplies_each_channel_by_a_gain() -> None:
    augmentation = Augmentation(flip=0, pad=0, erase=0, color_gain=0.2)
    image = np.tile(np.array([[[60], [120]]], dtype=np.uint8), (1, 1, 3))
    lit = _changed(augmentation, image, num=1000).astype(float)  # (1000, 1, 2, 3)
    dark, bright = lit[:, 0, 0], lit[:, 0, 1]
    assert (np.abs(np.minimum(2 * dark, 254) - bright) <= 2)[bright < 250].all()
    logarithms = np.log(dark / 60)
    assert logarithms.std() == pytest.approx(0.2 * 2**0.5, rel=0.1)  # a gain per channel, one for all
    assert logarithms.mean() == pytest.approx(0, abs=0.03)
    assert np.corrcoef(logarithms.T)[0, 1] == pytest.approx(0.5, abs=0.1)


def test_light_leaves_black_black_and_white_at_most_white() -> None:
    image = np.zeros((4, 4, 3), dtype=np.uint8)
    image[2:] = 255
    for lit in _changed(Augmentation(flip=0, pad=0, erase=0, color_gain=1.0), image, num=20):
        assert lit[:2].max() == 0
        assert len(np.unique(lit[2:].reshape(-1, 3), axis=0)) == 1


def test_chances_are_kept() -> None:
    changes = Augmentation(flip=0.3, erase=0.7).draw((0,), 3000, 64, 32)
    assert changes.flip.mean() == pytest.approx(0.3, abs=0.03)
    assert changes.erased.any(axis=1).mean() == pytest.approx(0.7, abs=0.03)


def test_a_rectangle_that_never_fits_erases_nothing() -> None:
    augmentation = Augmentation(flip=0, pad=0, erase=1, erase_area=(1.0, 1.0))
    assert np.array_equal(_changed(augmentation, _image())[0], _image())


def test_a_crop_by_hand() -> None:
    """A quarter of 8 x 6 pixels, three wide for four high."""
    augmentation = Augmentation(pad=0, crop_area=(0.25, 0.5))
    image = _coordinates(8, 6)
    crop = augmentation.crop(image, np.array([[0.0, 0.0, 0.5, 0.99]]))
    assert crop.shape[:2] == (4, 3)
    assert crop[0, 0].tolist() == [2, 3, 3]  # half of the five places down, the last of the four right
    assert np.shares_memory(crop, image)
    wide = augmentation.crop(image, np.array([[1.0, 1.0, 0.0, 0.0]]))
    assert wide.shape[:2] == (4, 6)  # 24 pixels: 4.24 x 5.66


def test_a_crop_that_does_not_fit_is_drawn_again() -> None:
    augmentation, image = Augmentation(pad=0, crop_area=(0.25, 1.0)), _coordinates(8, 6)
    attempts = np.array([[1.0, 1.0, 0.5, 0.5], [0.0, 0.0, 0.5, 0.99]])
    assert augmentation.crop(image, attempts).shape[:2] == (4, 3)


@pytest.mark.parametrize("size", [(10, 100), (100, 10), (7, 1), (1, 7), (1, 1), (40, 41)])
def test_where_none_fits_the_largest_centre_is_cut_as_torchvision_does(size: tuple[int, int]) -> None:
    image = _coordinates(*size)
    too_large = np.ones((NUM_ATTEMPTS, 4)) * (2.0, 0.5, 0.5, 0.5)  # more than the whole image
    crop = Augmentation(pad=0, crop_area=(0.5, 1.0)).crop(image, too_large)
    top, left, height, width = RandomResizedCrop.get_params(torch.zeros(1, *size), (9.0, 9.0), CROP_ASPECT)
    assert np.array_equal(crop, image[top : top + height, left : left + width])


def test_crops_are_distributed_as_torchvision_s() -> None:
    image, area = _coordinates(300, 200), (0.08, 1.0)
    augmentation = Augmentation(pad=0, crop_area=area)
    torch.manual_seed(0)
    theirs = np.array(
        [RandomResizedCrop.get_params(torch.zeros(1, 300, 200), area, CROP_ASPECT) for _ in range(3000)]
    )
    ours = np.array(
        [
            (*crop[0, 0, :2], *crop.shape[:2])
            for crop in (augmentation.crop(image, attempts) for attempts in _attempts(0, 3000))
        ]
    )
    assert ours.mean(axis=0) == pytest.approx(theirs.mean(axis=0), rel=0.05)
    assert ours.std(axis=0) == pytest.approx(theirs.std(axis=0), rel=0.05)
    share = ours[:, 2] * ours[:, 3] / 60_000
    assert 0.07 < share.min() < 0.1
    assert share.max() <= 1


def test_crops_lie_inside_with_area_and_aspect_within_limits() -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        height, width = int(rng.integers(60, 200)), int(rng.integers(60, 200))
        rows, columns = CROPS.crop(_coordinates(height, width), _attempts(seed)[0]).shape[:2]
        assert 0.2 * 0.95 <= rows * columns / (height * width) <= 0.9 * 1.05
        assert CROP_ASPECT[0] * 0.95 <= columns / rows <= CROP_ASPECT[1] * 1.05


def test_aspects_are_as_often_wide_as_high() -> None:
    image = _coordinates(400, 400)
    shapes = [CROPS.crop(image, attempts).shape for attempts in _attempts(1, 1000)]
    assert np.mean([math.log(shape[1] / shape[0]) for shape in shapes]) == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flip": 1.5}, r"flip and erase must be probabilities in \[0, 1\].* got flip 1.5"),
        ({"erase": -0.1}, "flip and erase must be probabilities"),
        ({"pad": -1}, "pad and color_gain must not be negative, got .* pad -1 "),
        ({"color_gain": -0.5}, "pad and color_gain must not be negative, got .* color_gain -0.5"),
        ({"erase_area": (0.4, 0.02)}, r"erase_area must be two ascending numbers in \(0, 1\]"),
        ({"erase_area": (0.0, 0.4)}, "erase_area must be two ascending"),
        ({"erase_aspect": 2.0}, r"erase_aspect must lie in \(0, 1\]"),
        (
            {"crop_area": (0.5, 0.2), "pad": 0},
            r"crop_area must be .*ascending in \(0, 1\].* got \(0.5, 0.2\)",
        ),
        ({"crop_area": (0.0, 0.2), "pad": 0}, "crop_area must be the smallest and largest fraction"),
        ({"crop_area": (0.2, 1.5), "pad": 0}, "crop_area must be the smallest and largest fraction"),
        ({"crop_area": (0.2,), "pad": 0}, "crop_area must be the smallest and largest fraction"),
        ({"crop_area": (0.2, 1.0)}, r"with crop_area \(0.2, 1.0\), pad must be 0 \(INPUT.PAD 0\), got 10"),
    ],
)
def test_augmentation_errors(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Augmentation(**changes)
