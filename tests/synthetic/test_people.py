from __future__ import annotations

from collections import Counter
from dataclasses import fields

import numpy as np

from reid_gl.synthetic.palette import LOWER_COLOURS, UPPER_COLOURS
from reid_gl.synthetic.people import (
    BAGS,
    BUILDS,
    HATS,
    LOWER_CUTS,
    UPPER_CUTS,
    UPPER_TEXTURES,
    draw_lower,
    draw_person,
    draw_upper,
    pick,
)
from tests.synthetic.one_person import SHIRT, TROUSERS


def test_all_choices_are_equally_likely() -> None:
    rng = np.random.default_rng(0)
    counts = Counter(pick(rng, ("a", "b", "b", "c")) for _ in range(4000))
    assert abs(counts["b"] / 4000 - 0.5) < 0.03
    assert abs(counts["a"] / 4000 - 0.25) < 0.03


def test_garments_have_every_cut_and_two_colours() -> None:
    rng = np.random.default_rng(0)
    uppers, lowers = [draw_upper(rng) for _ in range(300)], [draw_lower(rng) for _ in range(300)]
    assert {garment.cut for garment in uppers} == set(UPPER_CUTS)
    assert {garment.cut for garment in lowers} == set(LOWER_CUTS)
    assert {garment.texture for garment in uppers} == set(UPPER_TEXTURES)
    assert {garment.colour for garment in uppers} == set(UPPER_COLOURS)
    assert {garment.second for garment in lowers} == set(LOWER_COLOURS)
    assert all(garment.colour != garment.second for garment in (*uppers, *lowers))
    assert all(type(garment.colour) is str for garment in uppers)  # numpy's own would not be JSON


def test_a_wearer_keeps_the_garments_and_draws_the_rest() -> None:
    rng = np.random.default_rng(0)
    people = [draw_person(rng, SHIRT, TROUSERS) for _ in range(300)]
    assert {(person.upper, person.lower) for person in people} == {(SHIRT, TROUSERS)}
    assert {person.hat for person in people} == set(HATS)
    assert {person.bag for person in people} == set(BAGS)
    assert {person.build for person in people} == set(BUILDS)
    for field in fields(people[0]):
        if field.name not in ("upper", "lower"):
            assert len({getattr(person, field.name) for person in people}) > 1, field.name
    assert draw_person(np.random.default_rng(1), SHIRT, TROUSERS) == draw_person(
        np.random.default_rng(1), SHIRT, TROUSERS
    )
