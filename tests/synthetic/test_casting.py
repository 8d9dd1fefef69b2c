from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from reid_gl.synthetic.casting import MIN_DISTANCE, draw_people, look, person_distance
from reid_gl.synthetic.people import Person
from reid_gl.synthetic.plan import SyntheticSize, draw_cast


@pytest.fixture(scope="module")
def cast() -> list[Person]:
    return draw_cast(0, SyntheticSize())


def test_default_cast_is_large_enough(cast: list[Person]) -> None:
    size = SyntheticSize()
    assert len(cast) == size.num_people
    assert size.num_train_identities >= 150
    assert size.num_test_identities >= 100


@pytest.mark.parametrize("part", ["upper", "lower"])
def test_no_garment_belongs_to_one_identity_alone(cast: list[Person], part: str) -> None:
    size = SyntheticSize()
    identities = cast[: size.num_train_identities + size.num_test_identities]
    wearers = Counter(getattr(person, part) for person in identities)
    assert min(wearers.values()) >= 2
    assert len(wearers) >= 20


@pytest.mark.parametrize("attribute", ["texture", "colour", "second", "cut", "period", "variant"])
@pytest.mark.parametrize("part", ["upper", "lower"])
def test_every_texture_and_colour_is_shared_among_the_test_identities(
    cast: list[Person], part: str, attribute: str
) -> None:
    size = SyntheticSize()
    tested = cast[size.num_train_identities : size.num_train_identities + size.num_test_identities]
    wearers = Counter(getattr(getattr(person, part), attribute) for person in tested)
    assert min(wearers.values()) >= 2


@pytest.mark.parametrize(
    "attribute", ["skin", "hair", "hair_length", "hat", "bag", "bag_colour", "shoes", "build"]
)
def test_every_other_attribute_is_shared(cast: list[Person], attribute: str) -> None:
    wearers = Counter(getattr(person, attribute) for person in cast)
    assert len(wearers) >= 3
    assert min(wearers.values()) >= 10


def test_no_two_people_look_alike(cast: list[Person]) -> None:
    nearest = min(person_distance(one, other) for i, one in enumerate(cast) for other in cast[:i:7])
    assert nearest >= MIN_DISTANCE
    assert len({look(person) for person in cast}) == len(cast)


def test_distance_is_symmetric_and_zero_for_the_same_person(cast: list[Person]) -> None:
    assert person_distance(cast[0], cast[0]) == 0
    assert person_distance(cast[0], cast[1]) == person_distance(cast[1], cast[0]) > 0


def test_another_seed_means_other_people() -> None:
    size = SyntheticSize(num_train_identities=10, num_test_identities=10, num_queries=10, num_distractors=0)
    assert draw_cast(0, size) == draw_cast(0, size)
    assert not set(draw_cast(0, size)) & set(draw_cast(1, size))


def test_small_casts_share_their_garments_too() -> None:
    people = draw_people(np.random.default_rng(0), 12)
    assert min(Counter(person.upper for person in people).values()) >= 2


def test_too_many_people_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reid_gl.synthetic.casting.MIN_DISTANCE", 30.0)
    monkeypatch.setattr("reid_gl.synthetic.casting.MAX_TRIES", 5)
    with pytest.raises(ValueError, match="ask for fewer identities"):
        draw_people(np.random.default_rng(0), 3)
