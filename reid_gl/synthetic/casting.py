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
    looks = _Looks(num_people)
    pairs = zip(deal(rng, uppers, num_people), deal(rng, lowers, num_people), strict=True)
    for upper, lower in pairs:
        people.append(_draw_distinct(rng, upper, lower, looks))
        looks.add(people[-1])
    return people


class _Looks:
    """The looks of the people drawn so far, as numbers: words would be compared ten times as slowly.

    Args:
        num_people: maximum number of people.
    """

    def __init__(self, num_people: int) -> None:
        self._rows = np.empty((num_people, len(LOOK_WEIGHTS)), dtype=np.uint16)
        self._numbers: list[dict[str, int]] = [{} for _ in LOOK_WEIGHTS]
        self._weights = np.array(list(LOOK_WEIGHTS.values()))
        self._count = 0

    def __len__(self) -> int:
        """Number of people."""
        return self._count

    def add(self, person: Person) -> None:
        """Add a person's look."""
        self._rows[self._count] = self._encode(person)
        self._count += 1

    def nearest(self, person: Person) -> float:
        """Return the distance to the most similar person; infinity if there is none."""
        differs = self._rows[: self._count] != self._encode(person)
        return float((differs @ self._weights).min(initial=np.inf))

    def _encode(self, person: Person) -> NDArray[np.uint16]:
        pairs = zip(self._numbers, look(person), strict=True)
        return np.array([numbers.setdefault(word, len(numbers)) for numbers, word in pairs], dtype=np.uint16)


def _draw_distinct(rng: np.random.Generator, upper: Garment, lower: Garment, taken: _Looks) -> Person:
    """Draw a wearer of two given garments who differs from everybody drawn so far."""
    for _ in range(MAX_TRIES):
        person = draw_person(rng, upper, lower)
        if taken.nearest(person) >= MIN_DISTANCE:
            return person
    raise ValueError(
        f"cannot draw a person who differs from the {len(taken)} drawn so far in {MAX_TRIES} tries: "
        "ask for fewer identities"
    )
