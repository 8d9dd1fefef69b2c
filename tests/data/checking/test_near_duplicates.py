from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.checking import near_duplicates
from reid_gl.data.checking.near_duplicates import (
    Sketches,
    empty_sketch,
    find_near_duplicates,
    make_sketch,
    stack_sketches,
)
from reid_gl.data.loading.images import read_image
from reid_gl.synthetic.write_people import SyntheticSize, write_synthetic
from tests.data.made_up_images import Image8, blobs, brighten, enlarge, reencode, shrink
from tests.reference.slow_near_duplicates import slow_near_duplicates


def sketch_all(images: Sequence[Image8]) -> Sketches:
    return stack_sketches([make_sketch(image) for image in images])


def flip_bits(code: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    bits = np.unpackbits(code.view(np.uint8))
    bits[rng.choice(128, count, replace=False)] ^= 1
    return np.packbits(bits).view(np.uint64)


def random_case(seed: int) -> tuple[Sketches, Sketches]:
    """Some of the right are changed copies of the left: 0 to 15 bits, thumbnails a little or much."""
    rng = np.random.default_rng(seed)
    left = [
        (rng.integers(0, 2**64, 2, dtype=np.uint64), rng.integers(0, 256, (16, 16), dtype=np.uint8))
        for _ in range(12)
    ]
    left += [(left[0][0].copy(), np.full((16, 16), 9, dtype=np.uint8))]  # same code, no contrast
    right = []
    for _ in range(40):
        code, thumbnail = left[rng.integers(len(left))]
        noise = rng.normal(0, rng.choice([2, 5, 20]), thumbnail.shape)
        changed = np.clip(thumbnail * rng.uniform(0.5, 1) + noise, 0, 255).astype(np.uint8)
        right.append((flip_bits(code, int(rng.integers(0, 16)), rng), changed))
    return stack_sketches(left), stack_sketches(right)


@pytest.mark.parametrize("pairs_at_once", [1, 7, 1 << 20])
@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_comparison_of_all_pairs(
    seed: int, pairs_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(near_duplicates, "PAIRS_AT_ONCE", pairs_at_once)
    monkeypatch.setattr(near_duplicates, "CONFIRMED_AT_ONCE", max(2, pairs_at_once // 2))
    left, right = random_case(seed)
    expected = slow_near_duplicates(left, right)
    assert 0 < len(expected) < len(left.codes)
    found = find_near_duplicates(left, right)
    assert list(zip(found.left.tolist(), found.right.tolist(), strict=True)) == [row[:2] for row in expected]
    assert found.differences == pytest.approx([row[2] for row in expected], abs=1e-5)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_what_is_searched_does_not_matter(seed: int) -> None:
    left, right = random_case(seed)
    order = np.random.default_rng(seed).permutation(len(right.codes))
    found, shuffled = (
        find_near_duplicates(left, right),
        find_near_duplicates(left, right.take(order.tolist())),
    )
    assert shuffled.left.tolist() == found.left.tolist()
    assert order[shuffled.right].tolist() == found.right.tolist()


def test_the_code_of_a_ramp_by_hand() -> None:
    ramp = np.repeat(np.linspace(0, 250, 72).astype(np.uint8)[None, :, None], 32, axis=0).repeat(3, axis=2)
    code, thumbnail = make_sketch(ramp)
    assert code[0] == 2**64 - 1  # brighter to the right everywhere
    assert make_sketch(np.ascontiguousarray(ramp[:, ::-1]))[0][0] == 0
    assert thumbnail[0].tolist() == sorted(thumbnail[0].tolist())
    assert (thumbnail == thumbnail[0]).all()


def test_a_step_of_two_grey_values_is_no_edge() -> None:
    image = np.full((8, 18, 3), 200, dtype=np.uint8)
    image[:, 8:10] = 202  # the fifth of nine places, and from the fourth to it one step
    assert make_sketch(image)[0][0] == 0
    image[:, 8:10] = 203
    assert bin(make_sketch(image)[0][0]).count("1") == 8  # one in each of eight lines


@pytest.mark.parametrize("change", [reencode, enlarge, shrink, brighten])
def test_a_changed_copy_is_found_among_others(change: Callable[[Image8], Image8]) -> None:
    images = [blobs(seed) for seed in range(40)]
    changed = [change(image) for image in images]
    found = find_near_duplicates(sketch_all(changed[::-1]), sketch_all(images))
    assert found.left.tolist() == list(range(40))
    assert found.right.tolist() == list(range(40))[::-1]
    assert found.differences.max() < 0.02


def test_a_copy_changed_in_every_way_is_found() -> None:
    images = [blobs(seed) for seed in range(40)]
    changed = [reencode(brighten(enlarge(image))) for image in images]
    assert find_near_duplicates(sketch_all(changed), sketch_all(images)).right.tolist() == list(range(40))


def test_different_blobs_and_noise_are_not_alike() -> None:
    noise = [np.random.default_rng(seed).integers(0, 256, (32, 16, 3), dtype=np.uint8) for seed in range(60)]
    images = sketch_all([*noise, *(blobs(seed) for seed in range(60))])
    halves = images.take(range(0, 120, 2)), images.take(range(1, 120, 2))
    assert len(find_near_duplicates(*halves).left) == 0


def test_different_rendered_people_are_not_alike(tmp_path: Path) -> None:
    size = SyntheticSize(num_train_identities=3, num_test_identities=3, num_queries=6, num_distractors=2)
    write_synthetic(tmp_path / "people", seed=0, size=size, num_workers=1)
    train, test = (
        sketch_all([read_image(path) for path in sorted((tmp_path / "people" / folder).glob("*.jpg"))])
        for folder in ("bounding_box_train", "bounding_box_test")
    )
    assert len(train.codes) > 30
    assert len(find_near_duplicates(test, train).left) == 0
    assert len(find_near_duplicates(train, train).left) == len(train.codes)


def test_images_without_contrast_are_like_nothing() -> None:
    flat = [np.full((32, 16, 3), grey, dtype=np.uint8) for grey in (0, 128, 255)]
    sketches = stack_sketches([*(make_sketch(image) for image in flat), empty_sketch()])
    assert len(find_near_duplicates(sketches, sketches).left) == 0


def test_of_equal_images_the_first_is_named() -> None:
    one, other = sketch_all([blobs(1)]), sketch_all([blobs(2), blobs(1), blobs(1)])
    found = find_near_duplicates(one, other)
    assert (found.left.tolist(), found.right.tolist(), found.differences.tolist()) == ([0], [1], [0.0])


def test_the_first_of_equal_images_is_named_though_another_shares_an_earlier_band() -> None:
    code, thumbnail = make_sketch(blobs(1))
    other = code ^ np.array([1 << 7, 0], dtype=np.uint64)  # the very first bit of the first band
    found = find_near_duplicates(
        stack_sketches([(code, thumbnail)]), stack_sketches([(other, thumbnail), (code, thumbnail)])
    )
    assert found.right.tolist() == [0]


def test_of_many_with_one_code_the_least_different_is_named() -> None:
    code, thumbnail = make_sketch(blobs(1))
    many = np.repeat(thumbnail[None], 60, axis=0)
    for column, copy in enumerate(many):
        copy[0, : 1 + (column + 17) % 60 // 4] ^= 8
    right = Sketches(np.repeat(code[None], 60, axis=0), many)
    left = stack_sketches([(code, thumbnail)])
    assert (
        find_near_duplicates(left, right).right.tolist() == [slow_near_duplicates(left, right)[0][1]] == [43]
    )


@pytest.mark.parametrize(("left", "right"), [(0, 0), (0, 3), (3, 0)])
def test_nothing_to_compare(left: int, right: int) -> None:
    sides = (sketch_all([blobs(seed) for seed in range(count)]) for count in (left, right))
    found = find_near_duplicates(*sides)
    assert [len(column) for column in found] == [0, 0, 0]


def test_any_size_has_a_sketch() -> None:
    for size in ((1, 1), (1, 300), (300, 1), (5, 5), (2000, 1500)):
        code, thumbnail = make_sketch(np.zeros((*size, 3), dtype=np.uint8))
        assert (code.shape, code.dtype, thumbnail.shape, thumbnail.dtype) == ((2,), "u8", (16, 16), "u1")
