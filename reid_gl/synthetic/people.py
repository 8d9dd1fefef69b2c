"""Synthetic people: each is a combination of attributes that many others share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from reid_gl.synthetic.garments import Garment
from reid_gl.synthetic.palette import (
    BAG_COLOURS,
    HAIR,
    LOWER_COLOURS,
    SHOE_COLOURS,
    SKIN,
    UPPER_COLOURS,
)

UPPER_CUTS = ("tshirt", "long_sleeve", "sleeveless", "jacket", "hoodie", "coat")
LOWER_CUTS = ("trousers", "shorts", "skirt")
UPPER_TEXTURES = ("plain", "stripes_across", "stripes_down", "checks", "print", "logo", "band")
LOWER_TEXTURES = ("plain", "plain", "side_stripe", "checks")
HAIR_LENGTHS = ("short", "bob", "long")
HATS = ("none", "none", "none", "cap", "beanie", "sun_hat")
BAGS = ("none", "backpack", "backpack", "shoulder_bag", "handbag")
BUILDS = (0.84, 1.0, 1.2)
LEG_SHARES = (0.49, 0.525)

T = TypeVar("T")


@dataclass(frozen=True)
class Person:
    """Attributes that stay with an identity in all cameras.

    Attributes:
        upper: garment of torso and arms.
        lower: garment of hips and legs.
        skin: name in palette.SKIN.
        hair: name in palette.HAIR.
        hair_length: one of HAIR_LENGTHS.
        hat: one of HATS.
        bag: one of BAGS.
        bag_colour: colour of bag and hat, a name in palette.CLOTH.
        bag_side: 1 carries the bag on the left, -1 on the right.
        shoes: name in palette.CLOTH.
        build: width of the body relative to the average.
        leg_share: height of the hips divided by the stature.
        shoulder_to_hip: width of the shoulders divided by the width of the hips.
    """

    upper: Garment
    lower: Garment
    skin: str
    hair: str
    hair_length: str
    hat: str
    bag: str
    bag_colour: str
    bag_side: int
    shoes: str
    build: float
    leg_share: float
    shoulder_to_hip: float


def pick(rng: np.random.Generator, choices: tuple[T, ...]) -> T:
    """Draw one of the choices, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def draw_upper(rng: np.random.Generator) -> Garment:
    """Draw a random garment for torso and arms."""
    colour, second = rng.permutation(np.array(UPPER_COLOURS))[:2]
    return Garment(
        cut=pick(rng, UPPER_CUTS),
        colour=str(colour),
        second=str(second),
        texture=pick(rng, UPPER_TEXTURES),
        period=pick(rng, (22, 44)),
        variant=int(rng.integers(4)),
    )


def draw_lower(rng: np.random.Generator) -> Garment:
    """Draw a random garment for hips and legs."""
    colour, second = rng.permutation(np.array(LOWER_COLOURS))[:2]
    return Garment(
        cut=pick(rng, LOWER_CUTS),
        colour=str(colour),
        second=str(second),
        texture=pick(rng, LOWER_TEXTURES),
        period=pick(rng, (22, 44)),
        variant=int(rng.integers(4)),
    )


def draw_person(rng: np.random.Generator, upper: Garment, lower: Garment) -> Person:
    """Draw a random wearer of two given garments."""
    return Person(
        upper=upper,
        lower=lower,
        skin=pick(rng, tuple(SKIN)),
        hair=pick(rng, tuple(HAIR)),
        hair_length=pick(rng, HAIR_LENGTHS),
        hat=pick(rng, HATS),
        bag=pick(rng, BAGS),
        bag_colour=pick(rng, BAG_COLOURS),
        bag_side=pick(rng, (-1, 1)),
        shoes=pick(rng, SHOE_COLOURS),
        build=pick(rng, BUILDS),
        leg_share=pick(rng, LEG_SHARES),
        shoulder_to_hip=pick(rng, (1.2, 1.45)),
    )
