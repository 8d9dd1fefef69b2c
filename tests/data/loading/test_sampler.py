from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_gl.data.loading.loaders import make_label_map
from reid_gl.data.loading.sampler import BatchKey, Part, PKSampler, check_parts
from reid_gl.records import Sample

COUNTS = st.lists(st.integers(1, 13), min_size=1, max_size=12)


def _labels(counts: list[int]) -> list[int]:
    """counts[i] images of identity i, the identities taking turns."""
    labels = [label for label, count in enumerate(counts) for _ in range(count)]
    return labels[::2] + labels[1::2]


@settings(max_examples=200, deadline=None)
@given(
    counts=COUNTS, p=st.integers(1, 12), k=st.integers(1, 6), seed=st.integers(0, 99), epoch=st.integers(0, 9)
)
def test_batches_are_p_by_k_and_show_everyone(
    counts: list[int], p: int, k: int, seed: int, epoch: int
) -> None:
    p = min(p, len(counts))
    labels = _labels(counts)
    batches = PKSampler(labels, num_identities=p, num_images=k, seed=seed).epoch_batches(epoch)
    for batch in batches:
        shown = Counter(labels[index] for index in batch)
        assert len(batch) == p * k
        assert len(shown) == p
        assert set(shown.values()) == {k}
        for label in shown:  # an image is repeated only where there are fewer than K
            different = len({index for index in batch if labels[index] == label})
            assert different == min(k, counts[label])
    assert {labels[index] for batch in batches for index in batch} == set(labels)


@settings(max_examples=100, deadline=None)
@given(counts=COUNTS, p=st.integers(1, 12), k=st.integers(1, 6))
def test_an_epoch_shows_every_image_about_once(counts: list[int], p: int, k: int) -> None:
    p = min(p, len(counts))
    sampler = PKSampler(_labels(counts), num_identities=p, num_images=k)
    num_groups = sum(max(1, count // k) for count in counts)
    assert 1 <= len(sampler) <= num_groups // p + len(counts)


def test_equal_counts_show_every_image_exactly_once() -> None:
    sampler = PKSampler(_labels([8] * 6), num_identities=3, num_images=4)
    shown = Counter(index for key in sampler for index in key.indices)
    assert len(sampler) == 4
    assert set(shown.values()) == {1}
    assert len(shown) == 48


def test_identities_with_too_few_images_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        sampler = PKSampler(_labels([1, 5, 3]), num_identities=2, num_images=4)
    assert sampler.num_identities == 3
    assert sampler.num_short == 2
    assert "2 of 3 identities have fewer than K=4 images" in caplog.text
    caplog.clear()
    assert PKSampler(_labels([4, 5]), num_identities=2, num_images=4).num_short == 0
    assert not caplog.text


def test_the_order_depends_on_seed_and_epoch_only() -> None:
    labels = _labels([7, 5, 9, 4, 6])
    first, same, other = (PKSampler(labels, num_identities=3, num_images=2, seed=seed) for seed in (1, 1, 2))
    list(first)  # having been used changes nothing
    for epoch in range(3):
        assert first.epoch_batches(epoch) == same.epoch_batches(epoch)
        assert first.epoch_batches(epoch) != other.epoch_batches(epoch)
    assert first.epoch_batches(0) != first.epoch_batches(1)


@settings(max_examples=50, deadline=None)
@given(counts=COUNTS, epoch=st.integers(0, 5), step=st.integers(0, 30))
def test_start_at_goes_on_with_the_rest_of_the_epoch(counts: list[int], epoch: int, step: int) -> None:
    sampler = PKSampler(_labels(counts), num_identities=1, num_images=2, seed=3)
    sampler.start_at(epoch)
    whole = list(sampler)
    assert len(sampler) == len(whole)
    step = min(step, len(whole))
    sampler.start_at(epoch, step)
    assert len(sampler) == len(whole) - step
    assert list(sampler) == whole[step:]
    sampler.start_at(epoch + 1)
    assert all(key.epoch == epoch + 1 for key in sampler)


def test_keys_say_epoch_and_step() -> None:
    sampler = PKSampler(_labels([4] * 4), num_identities=2, num_images=2)
    sampler.start_at(5, 1)
    batches = sampler.epoch_batches(5)
    assert list(sampler) == [BatchKey(5, step, batches[step]) for step in range(1, len(batches))]


def test_labels_may_have_gaps_and_any_order() -> None:
    sampler = PKSampler([70, 3, 70, 3, 11, 11], num_identities=3, num_images=2)
    assert sorted(index for key in sampler for index in key.indices) == [0, 1, 2, 3, 4, 5]


@pytest.mark.slow
def test_the_order_does_not_depend_on_the_hash_seed() -> None:
    code = (
        "import json\n"
        "from reid_gl.data.loading.loaders import make_label_map\n"
        "from reid_gl.data.loading.sampler import PKSampler\n"
        "from reid_gl.records import Sample\n"
        "pids = [(31 * i) % 17 - 1 for i in range(60)]\n"
        "labels = make_label_map([Sample('', pid) for pid in pids])\n"
        "sampler = PKSampler([labels[pid] for pid in pids], num_identities=4, num_images=3, seed=5)\n"
        "print(json.dumps([list(labels.items()), sampler.epoch_batches(2)]))"
    )
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, timeout=60, capture_output=True, text=True
    )
    pids = [(31 * i) % 17 - 1 for i in range(60)]
    labels = make_label_map([Sample("", pid) for pid in pids])
    sampler = PKSampler([labels[pid] for pid in pids], num_identities=4, num_images=3, seed=5)
    expected = json.loads(json.dumps([list(labels.items()), sampler.epoch_batches(2)]))
    assert json.loads(run.stdout.splitlines()[-1]) == expected


def test_errors() -> None:
    with pytest.raises(ValueError, match="a batch needs P=3 different identities and the training set has 2"):
        PKSampler([0, 0, 1], num_identities=3, num_images=1)
    with pytest.raises(
        ValueError, match=r"the training set has 0: lower SOLVER\.IDENTITIES_PER_BATCH or add"
    ):
        PKSampler([], num_identities=1, num_images=1)
    with pytest.raises(ValueError, match="P and K must be at least 1, got P=0, K=4"):
        PKSampler([0], num_identities=0, num_images=4)
    with pytest.raises(ValueError, match="P and K must be at least 1, got P=2, K=0"):
        PKSampler([0], num_identities=2, num_images=0)


@pytest.mark.parametrize("num_parts", [1, 2, 4])
def test_parts_of_a_batch_are_the_batch_and_share_no_identity(num_parts: int) -> None:
    labels = [label for label in range(9) for _ in range(5)]
    for batch in PKSampler(labels, num_identities=4, num_images=3).epoch_batches(0):
        parts = [batch[Part(number, num_parts).rows(len(batch))] for number in range(num_parts)]
        assert sum(parts, ()) == batch
        identities = [label for part in parts for label in {labels[index] for index in part}]
        assert len(set(identities)) == len(identities) == 4


def test_identities_must_divide_over_the_ranks() -> None:
    check_parts(16, 4)
    message = "P=16 .* over 3 ranks: set SOLVER.IDENTITIES_PER_BATCH to 15 or 18, or start another number"
    with pytest.raises(ValueError, match=message):
        check_parts(16, 3)
    with pytest.raises(ValueError, match=r"P=2 .* over 4 ranks: set SOLVER.IDENTITIES_PER_BATCH to 4, or"):
        check_parts(2, 4)
