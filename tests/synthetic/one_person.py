"""A person of average build, seen by a level camera."""

from __future__ import annotations

from reid_gl.synthetic.body import View
from reid_gl.synthetic.garments import Garment
from reid_gl.synthetic.people import Person

SHIRT = Garment("tshirt", "red", "white", "plain", period=22, variant=0)
TROUSERS = Garment("trousers", "navy", "grey", "plain", period=22, variant=1)
PERSON = Person(
    upper=SHIRT,
    lower=TROUSERS,
    skin="tan",
    hair="brown",
    hair_length="short",
    hat="none",
    bag="none",
    bag_colour="blue",
    bag_side=1,
    shoes="black",
    build=1.0,
    leg_share=0.5,
    shoulder_to_hip=1.32,
)


def view(yaw: float = 0.0, pitch: float = 0.0) -> View:
    """100 pixels per stature; the feet are at column 50, row 110."""
    return View(yaw=yaw, pitch=pitch, scale=100.0, foot_x=50.0, foot_y=110.0)
