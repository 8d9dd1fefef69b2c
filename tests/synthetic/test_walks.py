from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest

from reid_gl.synthetic.stage import FARTHEST, NEAREST, half_view
from reid_gl.synthetic.walks import TRAVEL_SECONDS, Visit, free_from, plan_visits

RATE, ASPECT, FRAMES = 15.0, 16 / 9, 600


def plan(seed: int, *, num_people: int = 8, num_cameras: int = 3) -> list[Visit]:
    return plan_visits(
        np.random.default_rng(seed),
        num_people=num_people,
        num_cameras=num_cameras,
        num_frames=FRAMES,
        frame_rate=RATE,
        aspect=ASPECT,
    )


@pytest.mark.parametrize("seed", range(20))
def test_nobody_is_in_two_places_and_travelling_takes_time(seed: int) -> None:
    visits = plan(seed)
    for one, other in combinations(visits, 2):
        if one.person == other.person:
            first, second = sorted((one, other), key=lambda visit: visit.times[0])
            way = abs(first.camera - second.camera) * TRAVEL_SECONDS * RATE
            assert second.times[0] - first.times[-1] >= way - 1e-9
            assert second.times[0] > first.times[-1]


def test_people_cross_turn_back_come_again_and_are_seen_by_several_cameras() -> None:
    for seed in range(20):
        visits = plan(seed)
        sides = [(math.copysign(1, v.across[0]), math.copysign(1, v.across[-1])) for v in visits]
        assert any(entry == way_out for entry, way_out in sides)
        assert any(entry != way_out for entry, way_out in sides)
        places = [(visit.person, visit.camera) for visit in visits]
        assert len(set(places)) < len(places)
        assert len({person for person, _ in places}) == 8
        cameras = [{camera for who, camera in places if who == person} for person in range(8)]
        assert sum(len(seen_by) >= 2 for seen_by in cameras) >= 6
        assert crossings(visits) >= 5


def crossings(visits: list[Visit]) -> int:
    """How often two people in front of one camera change which of them is farther left."""
    count = 0
    for one, other in combinations(visits, 2):
        start, end = max(one.times[0], other.times[0]), min(one.times[-1], other.times[-1])
        if one.camera == other.camera and start < end:
            before, after = (one.position(t)[0] - other.position(t)[0] for t in (start, end))
            count += before * after < 0
    return count


def test_a_visit_begins_and_ends_outside_the_image() -> None:
    for seed in range(5):
        for visit in plan(seed):
            for place in (0, -1):
                assert abs(visit.across[place]) > half_view(ASPECT, visit.depths[place])
            assert NEAREST <= min(visit.depths) <= max(visit.depths) <= FARTHEST
            assert list(visit.times) == sorted(set(visit.times))


def test_by_hand_position_and_pose() -> None:
    visit = Visit(
        0, 0, times=(0.0, 10.0, 20.0, 30.0), across=(0.0, 1.0, 1.0, 1.0), depths=(3.0, 3.0, 3.0, 2.0)
    )
    assert visit.position(5) == (0.5, 3.0)
    right, waiting, near = (visit.pose(frame, 10.0) for frame in (5, 15, 25))
    assert (right.yaw, right.stride) == pytest.approx((math.pi / 2, 1.0))
    assert (waiting.yaw, waiting.stride) == (0.0, 0.0)
    assert near.yaw == pytest.approx(0.0)  # towards the camera
    assert near.stride == pytest.approx(1.0)
    assert visit.pose(5, 4.0).stride == pytest.approx(0.4)


def test_by_hand_when_somebody_is_free() -> None:
    assert free_from({}, 0, 10.0, 2.0) == -math.inf
    assert free_from({0: 100.0}, 0, 10.0, 2.0) == 120.0
    assert free_from({0: 100.0, 1: 90.0}, 2, 10.0, 2.0) == 100 + 2 * 10 * TRAVEL_SECONDS


def test_one_person_alone_is_possible() -> None:
    visits = plan(0, num_people=1, num_cameras=1)
    assert visits
    assert {visit.person for visit in visits} == {0}
