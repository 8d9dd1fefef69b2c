from __future__ import annotations

import numpy as np
import pytest

from reid_gl.data.datasets.reading.splits import NUM_DRAWS, NUM_HALVES, check_split, split_in_halves
from reid_gl.records import Sample

SAMPLES = [Sample(f"{pid}_{camera}", pid, camera) for pid in (9, 2, 5, 7, 3) for camera in (0, 1)]


def people(samples: tuple[Sample, ...]) -> list[int]:
    return [sample.pid for sample in samples]


def test_half_the_people_train_and_the_order_of_the_samples_stays() -> None:
    dataset = split_in_halves(SAMPLES, split=0, name="mine")
    training = np.random.default_rng(0).permutation([2, 3, 5, 7, 9])[:2]
    assert dataset.name == "mine"
    assert list(dataset.train) == [sample for sample in SAMPLES if sample.pid in training]
    assert list(dataset.query) == [
        sample for sample in SAMPLES if sample.pid not in training and sample.camid == 0
    ]
    assert list(dataset.gallery) == [
        sample for sample in SAMPLES if sample.pid not in training and sample.camid == 1
    ]


def test_the_draws_are_the_same_everywhere() -> None:
    draws = [split_in_halves(SAMPLES, split=split, name="mine") for split in range(3)]
    assert [sorted(set(people(draw.train))) for draw in draws] == [[5, 9], [2, 9], [5, 9]]


@pytest.mark.parametrize("split", range(NUM_DRAWS))
def test_the_order_of_the_samples_does_not_change_the_draw(split: int) -> None:
    one, other = (split_in_halves(order, split=split, name="mine") for order in (SAMPLES, SAMPLES[::-1]))
    assert one.train == other.train[::-1]


@pytest.mark.parametrize("split", range(NUM_DRAWS))
def test_the_second_ten_exchange_the_cameras(split: int) -> None:
    one, other = (
        split_in_halves(SAMPLES, split=number, name="mine") for number in (split, split + NUM_DRAWS)
    )
    assert (one.train, one.query, one.gallery) == (other.train, other.gallery, other.query)


def test_draws_differ_from_one_another() -> None:
    many = [Sample(f"{pid}_{camera}", pid, camera) for pid in range(1, 101) for camera in (0, 1)]
    draws = {split_in_halves(many, split=split, name="mine").train for split in range(NUM_DRAWS)}
    assert len(draws) == NUM_DRAWS


@pytest.mark.parametrize("split", [-1, NUM_HALVES])
def test_other_splits_are_refused(split: int) -> None:
    with pytest.raises(ValueError, match=rf"mine has no split {split}: expected 0 to 19"):
        split_in_halves(SAMPLES, split=split, name="mine")


def test_the_last_split_is_there() -> None:
    check_split(4, 5, "set")
    with pytest.raises(ValueError, match="set has no split 5: expected 0 to 4"):
        check_split(5, 5, "set")


def test_a_person_in_one_camera_only_is_refused() -> None:
    with pytest.raises(
        ValueError, match="mine: 2 of 5 people are seen by only one camera, the first is identity 3"
    ):
        split_in_halves(
            [s for s in SAMPLES if (s.pid, s.camid) not in ((3, 0), (9, 1))], split=0, name="mine"
        )
