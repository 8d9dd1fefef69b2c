"""Draw the people of a set: they share one wardrobe, but no two look alike."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from reid_gl.synthetic.garments import Garment
from reid_gl.synthetic.people import Person, draw_lower, draw_person, draw_upper

LOOK_WEIGHTS = {
    "upper_cut": 1.0,
    "upper_colour": 2.0,
    "upper_texture": 1.5,
    "upper_second": 1.0,
    "lower_cut": 1.5,
    "lower_colour": 2.0,
    "lower_texture": 1.0,
    "lower_second": 0.5,
    "shoes": 1.0,
    "hair": 1.0,
    "hair_length": 1.0,
    "hat": 1.5,
    "bag": 1.5,
    "bag_colour": 1.0,
    "build": 1.0,
    "skin": 0.5,
    "leg_share": 0.5,
}
"""Weight of each attribute in the distance between two people."""
MIN_DISTANCE = 6.5
MAX_TRIES = 2000


def look(person: Person) -> tuple[str, ...]:
    """Visible attributes of a person, in the order of LOOK_WEIGHTS."""
    shown = {field.name: getattr(person, field.name) for field in fields(person)}
    for part in ("upper", "lower"):
        garment: Garment = shown.pop(part)
        for name in ("cut", "colour", "second", "texture"):
            shown[f"{part}_{name}"] = getattr(garment, name)
        if garment.texture == "plain":
            shown[f"{part}_second"] = "none"
    if person.bag == "none" and person.hat == "none":
        shown["bag_colour"] = "none"
    return tuple(str(shown[name]) for name in LOOK_WEIGHTS)


def person_distance(one: Person, other: Person) -> float:
    """Distance between the looks of two people: the sum of the weights of all attributes that differ."""
    pairs = zip(look(one), look(other), LOOK_WEIGHTS.values(), strict=True)
    return sum(weight for here, there, weight in pairs if here != there)


def deal(rng: np.random.Generator, items: list[Garment], num_cards: int) -> list[Garment]:
    """Draw num_cards items from shuffled copies of the list, so that all are used about equally often."""
    cards: list[Garment] = []
    while len(cards) < num_cards:
        cards.extend(items[int(index)] for index in rng.permutation(len(items)))
    return cards[:num_cards]


def draw_people(rng: np.random.Generator, num_people: int) -> list[Person]:
    """Draw people who share a wardrobe, but no two of whom look alike.

    With at least four people, every garment of the wardrobe is worn by at least two of them. Any two people
    differ by at least MIN_DISTANCE.

    Args:
        rng: source of all random choices.
        num_people: number of people.

    Returns:
        The people. The people of a smaller set are not the first people of a larger one.

    Raises:
        ValueError: the attributes cannot distinguish that many people.
    """
    uppers = list(dict.fromkeys(draw_upper(rng) for _ in range(max(1, min(64, num_people // 3)))))
    lowers = list(dict.fromkeys(draw_lower(rng) for _ in range(max(1, min(36, num_people // 3)))))
    people: list[Person] = []
    looks = np.empty((num_people, len(LOOK_WEIGHTS)), dtype="U16")
    pairs = zip(deal(rng, uppers, num_people), deal(rng, lowers, num_people), strict=True)
    for upper, lower in pairs:
        people.append(draw_distinct(rng, upper, lower, looks[: len(people)]))
        looks[len(people) - 1] = look(people[-1])
    return people


def draw_distinct(
    rng: np.random.Generator, upper: Garment, lower: Garment, taken: NDArray[np.str_]
) -> Person:
    """Draw a wearer of two given garments who differs from all given looks (N, attributes)."""
    weights = np.array(list(LOOK_WEIGHTS.values()))
    for _ in range(MAX_TRIES):
        person = draw_person(rng, upper, lower)
        distances = (taken != np.array(look(person))) @ weights
        if distances.min(initial=np.inf) >= MIN_DISTANCE:
            return person
    raise ValueError(
        f"cannot draw a person who differs from the {len(taken)} drawn so far in {MAX_TRIES} tries: "
        "ask for fewer identities"
    )
