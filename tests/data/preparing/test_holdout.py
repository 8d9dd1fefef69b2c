from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_gl.data.preparing.holdout import hold_out_identities
from reid_gl.evaluation import check_protocol
from reid_gl.records import Sample


def _train(num_people: int, *camids: int) -> list[Sample]:
    """Every person once for each camera number given."""
    return [
        Sample(f"{pid}_{place}.jpg", pid, camid)
        for pid in range(10, 10 + num_people)
        for place, camid in enumerate(camids)
    ]


def test_by_hand() -> None:
    train = _train(4, 0, 0, 1)  # two images by camera 0, one by camera 1
    parts = hold_out_identities(train, 0.5)
    held = sorted({sample.pid for sample in parts.query})
    assert len(held) == 2
    # camera 0 can spare an image, camera 1 keeps its only one for the gallery
    assert sorted(sample.path for sample in parts.query) == [f"{pid}_0.jpg" for pid in held]
    assert sorted(sample.path for sample in parts.gallery) == sorted(
        f"{pid}_{place}.jpg" for pid in held for place in (1, 2)
    )
    assert list(parts.train) == [sample for sample in train if sample.pid not in held]


@settings(max_examples=100, deadline=None)
@given(
    cameras=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=6, max_size=20),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 99),
)
def test_nobody_is_on_both_sides_and_every_query_can_be_scored(
    cameras: list[list[int]], share: float, seed: int
) -> None:
    train = [
        Sample(f"{pid}_{place}", pid, camid)
        for pid, camids in enumerate(cameras)
        for place, camid in enumerate(camids)
    ]
    eligible = sum(len(set(camids)) > 1 for camids in cameras)
    count = max(2, round(share * len(cameras)))
    if count > eligible:
        with pytest.raises(ValueError, match=r"cannot be held out|at least 4 are needed"):
            hold_out_identities(train, share, seed=seed)
        return
    parts = hold_out_identities(train, share, seed=seed)
    held = {sample.pid for sample in parts.query}
    assert len(held) == count
    assert not set(parts.query) & set(parts.gallery)
    assert held == {sample.pid for sample in parts.gallery}
    assert not held & {sample.pid for sample in parts.train}
    assert {*parts.train, *parts.query, *parts.gallery} == set(train)
    preflight = check_protocol(parts.query, parts.gallery, camera_filter="on")
    assert preflight.num_scored == len(parts.query)


def test_people_seen_by_one_camera_are_never_held_out() -> None:
    train = [*_train(6, 0, 1), *(Sample(f"{pid}", pid, 0) for pid in range(50, 60))]
    for seed in range(20):
        parts = hold_out_identities(train, 0.2, seed=seed)
        assert all(sample.pid < 50 for sample in parts.query)


def test_without_cameras_every_image_searches_all_the_others() -> None:
    train = [*_train(5, -1, -1, -1), Sample("alone.jpg", 99)]
    parts = hold_out_identities(train, 0.5)
    held = {sample.pid for sample in parts.query}
    assert len(held) == 3
    assert 99 not in held
    assert parts.gallery == ()
    assert list(parts.query) == [sample for sample in train if sample.pid in held]
    assert check_protocol(parts.query, parts.gallery).num_scored == 9


def test_some_unknown_cameras_count_as_one() -> None:
    train = [*_train(5, -1, -1, -1), *(Sample(f"{place}.jpg", 99, place) for place in range(2))]
    parts = hold_out_identities(train, 0.5)
    sizes: dict[int, int] = defaultdict(int)
    for sample in parts.gallery:
        sizes[sample.pid] += 1
    assert set(sizes.values()) <= {1, 2}
    assert len(parts.query) == 3
    assert not {sample.path for sample in parts.query} & {sample.path for sample in parts.gallery}


def test_the_choice_follows_the_seed_and_not_the_order_of_the_samples() -> None:
    train = _train(20, 0, 1)
    held = [
        {sample.pid for sample in hold_out_identities(samples, 0.2, seed=seed).query}
        for samples, seed in ((train, 0), (train[::-1], 0), (train, 1))
    ]
    assert held[0] == held[1] != held[2]
    assert len(held[0]) == 4


@pytest.mark.parametrize("share", [0.0, 1.0, -0.1, 2.0])
def test_share_out_of_range(share: float) -> None:
    with pytest.raises(ValueError, match=f"held-out identities must lie between 0 and 1, got {share}"):
        hold_out_identities(_train(9, 0, 1), share)


def test_too_few_people() -> None:
    with pytest.raises(
        ValueError, match="2 of 8 identities cannot be held out: only 0 were seen by two cameras"
    ):
        hold_out_identities(_train(8, 0, 0), 0.1)
    with pytest.raises(ValueError, match="2 of 8 identities cannot be held out: only 0 have two images"):
        hold_out_identities(_train(8, -1), 0.1)
    with pytest.raises(ValueError, match="there are 3 identities, but at least 4 are needed"):
        hold_out_identities(_train(3, 0, 1), 0.1)
    with pytest.raises(ValueError, match=r"two must remain to train on; lower DATA.HOLDOUT, or set it to 0"):
        hold_out_identities(_train(10, 0, 1), 0.9)
    assert len({sample.pid for sample in hold_out_identities(_train(4, 0, 1), 0.1).train}) == 2
