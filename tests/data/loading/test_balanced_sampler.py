from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_gl.data.loading.sampler import BalancedSampler, BatchKey


def _people(*counts: list[int]) -> tuple[list[int], list[int]]:
    """Labels and sources: counts[s][i] images of the i-th identity of set s, all sets mixed."""
    rows = []
    label = 0
    for source, people in enumerate(counts):
        for count in people:
            rows += [(label, source)] * count
            label += 1
    rows = rows[::3] + rows[1::3] + rows[2::3]
    return [label for label, _ in rows], [source for _, source in rows]


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.lists(st.integers(1, 9), min_size=4, max_size=12), min_size=2, max_size=3),
    p=st.integers(3, 8),
    epoch=st.integers(0, 5),
)
def test_every_batch_has_each_sets_share(counts: list[list[int]], p: int, epoch: int) -> None:
    labels, sources = _people(*counts)
    sampler = BalancedSampler(labels, sources, num_identities=p, num_images=2)
    num_sets = len(counts)
    shown = set()
    for batch in sampler.epoch_batches(epoch):
        identities = {labels[index]: sources[index] for index in batch}
        shares = Counter(identities.values())
        assert [shares[s] for s in range(num_sets)] == [
            p // num_sets + (s < p % num_sets) for s in range(num_sets)
        ]
        assert set(Counter(labels[index] for index in batch).values()) == {2}
        shown |= set(batch)
    assert {labels[index] for index in shown} == set(labels)
    assert sampler.num_identities == len(set(labels))


def test_a_small_set_comes_again_in_another_order() -> None:
    labels, sources = _people([4] * 40, [4] * 4)
    sampler = BalancedSampler(labels, sources, num_identities=4, num_images=4)
    batches = sampler.epoch_batches(0)
    shown = Counter(index for batch in batches for index in batch)
    assert len(batches) == 20
    assert {shown[index] for index, source in enumerate(sources) if source == 0} == {1}
    assert {shown[index] for index, source in enumerate(sources) if source == 1} == {10}
    small = [tuple(i for i in batch if sources[i] == 1) for batch in batches]
    assert len(set(small)) > 10


def test_it_goes_on_where_it_stopped_and_epochs_differ() -> None:
    labels, sources = _people([4] * 9, [4] * 5)
    whole, rest = (BalancedSampler(labels, sources, num_identities=4, num_images=2, seed=3) for _ in range(2))
    whole.start_at(2)
    rest.start_at(2, step=3)
    assert list(rest) == list(whole)[3:]
    assert len(rest) == len(whole) - 3
    assert next(iter(rest)) == BatchKey(2, 3, whole.epoch_batches(2)[3])
    assert whole.epoch_batches(1) != whole.epoch_batches(2)


def test_too_few_identities_for_the_sets() -> None:
    labels, sources = _people([2] * 3, [2] * 3, [2] * 3)
    with pytest.raises(
        ValueError, match=r"P=2 identities cannot hold one of each of 3 data sets: raise SOLVER"
    ):
        BalancedSampler(labels, sources, num_identities=2, num_images=2)
