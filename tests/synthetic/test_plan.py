from __future__ import annotations

import re
from collections import defaultdict

import numpy as np
import pytest

from reid_gl.synthetic.plan import (
    GALLERY,
    QUERY,
    TRAIN,
    Shot,
    SyntheticSize,
    draw_cast,
    generator,
    plan_shots,
)

MARKET_NAME = re.compile(r"(-1|\d{4})_c[1-6]s\d_\d{6}_\d{2}\.jpg")


@pytest.fixture(scope="module")
def shots() -> list[Shot]:
    return plan_shots(0, SyntheticSize())


def _pids(shots: list[Shot], folder: str) -> set[int]:
    return {shot.pid for shot in shots if shot.folder == folder}


def test_names_are_those_of_market_and_differ(shots: list[Shot]) -> None:
    assert all(MARKET_NAME.fullmatch(shot.filename) for shot in shots)
    assert len({(shot.folder, shot.filename) for shot in shots}) == len(shots)


def test_train_and_test_identities_are_disjoint(shots: list[Shot]) -> None:
    assert not _pids(shots, TRAIN) & (_pids(shots, QUERY) | _pids(shots, GALLERY))
    assert _pids(shots, GALLERY) == _pids(shots, QUERY) | {0, -1}
    assert min(_pids(shots, TRAIN)) == 1


def test_training_and_test_people_are_different_people(shots: list[Shot]) -> None:
    trained = {shot.person for shot in shots if shot.folder == TRAIN}
    assert not trained & {shot.person for shot in shots if shot.folder != TRAIN}


def test_every_query_has_matches_from_three_other_cameras(shots: list[Shot]) -> None:
    cameras = defaultdict(set)
    for shot in shots:
        if shot.folder == GALLERY:
            cameras[shot.pid].add(shot.camid)
    queries = [shot for shot in shots if shot.folder == QUERY]
    assert all(len(cameras[query.pid] - {query.camid}) >= 3 for query in queries)


def test_every_test_identity_is_queried_from_two_cameras(shots: list[Shot]) -> None:
    cameras = defaultdict(set)
    for shot in shots:
        if shot.folder == QUERY:
            cameras[shot.pid].add(shot.camid)
    assert len(cameras) == 100
    assert all(len(seen) >= 2 for seen in cameras.values())


def test_default_sizes(shots: list[Shot]) -> None:
    gallery = [shot for shot in shots if shot.folder == GALLERY and shot.pid >= 0]
    distractors = [shot for shot in gallery if shot.pid == 0]
    assert sum(shot.folder == QUERY for shot in shots) == 200
    assert len(gallery) >= 1500
    assert len(distractors) / len(gallery) >= 0.15
    assert 0 < sum(shot.person < 0 for shot in distractors) < len(distractors) / 4
    assert sum(shot.pid < 0 for shot in shots) == SyntheticSize().num_junk


def test_all_cameras_see_something_in_every_folder(shots: list[Shot]) -> None:
    for folder in (TRAIN, QUERY, GALLERY):
        assert {shot.camid for shot in shots if shot.folder == folder} == set(range(6))


def test_no_two_images_share_their_random_numbers(shots: list[Shot]) -> None:
    keys = {(shot.stream, shot.camid, shot.number) for shot in shots}
    assert len(keys) == len(shots)
    first = [generator(0, *key).integers(2**60) for key in sorted(keys)[:300]]
    assert len(set(first)) == 300
    assert not np.array_equal(generator(0, 1, 1, 1).random(4), generator(1, 1, 1, 1).random(4))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_train_identities", 0),
        ("num_queries", 99),
        ("num_queries", 501),
        ("cameras_per_identity", 1),
        ("cameras_per_identity", 7),
        ("images_per_camera", 0),
        ("num_junk", -1),
    ],
)
def test_impossible_sizes_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}: expected"):
        SyntheticSize(**{name: value})


def test_worlds_share_no_camera_with_each_other_or_with_the_test() -> None:
    size = SyntheticSize(num_train_identities=20, num_test_identities=10, num_queries=20, num_worlds=3)
    cameras_of: dict[int, set[int]] = defaultdict(set)
    for shot in plan_shots(0, size):
        cameras_of[shot.pid if shot.folder == TRAIN else 0].add(shot.camid)
    assert cameras_of.pop(0) == set(range(6))
    worlds = {pid: {camid // 6 for camid in seen} for pid, seen in cameras_of.items()}
    assert sorted(worlds) == list(range(1, 21))
    assert all(len(world) == 1 for world in worlds.values())
    assert set().union(*worlds.values()) == {1, 2, 3}
    assert [sum(world == {number} for world in worlds.values()) for number in (1, 2, 3)] == [7, 7, 6]


def test_worlds_do_not_change_the_people_of_the_test_images() -> None:
    size = SyntheticSize(num_train_identities=6, num_test_identities=4, num_queries=4, num_worlds=2)
    people = draw_cast(0, size)
    assert len(people) == size.num_people
    assert len(set(people)) == len(people)
    assert all(person.upper.dye != (1.0, 1.0, 1.0) for person in people[:6])
    assert all(person.upper.dye == person.lower.dye == (1.0, 1.0, 1.0) for person in people[6:])


def test_more_worlds_than_training_identities_are_refused() -> None:
    with pytest.raises(ValueError, match="num_worlds is 5: expected 0 to 4"):
        SyntheticSize(num_train_identities=4, num_worlds=5)
