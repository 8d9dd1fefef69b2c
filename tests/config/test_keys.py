from __future__ import annotations

from dataclasses import dataclass

import pytest

from reid_gl.config.keys import Key, argument, arguments, meanings, take


@dataclass(frozen=True)
class Oven:
    """How to bake.

    Attributes:
        shelf: counted
            from below.
        degrees: Celsius; None for room temperature.
        sizes: height, width.
    """

    name: str
    shelf: int = 2
    degrees: float | None = None
    sizes: tuple[int, int] = (3, 4)


def test_default_and_meaning_come_from_the_owner() -> None:
    assert argument(Oven, "shelf") == Key(2, "counted from below", Oven, "shelf")
    assert argument(Oven, "degrees") == Key(-1.0, "Celsius; None for room temperature", Oven, "degrees", -1.0)
    assert list(arguments(Oven, without=("name",))) == ["SHELF", "DEGREES", "SIZES"]
    assert meanings(Oven)["sizes"] == "height, width"


def test_values_go_back_to_the_owner() -> None:
    keys = {**arguments(Oven, without=("name",)), "OTHER": Key(1, "of somebody else")}
    section = {"SHELF": 1, "DEGREES": -1.0, "SIZES": [5, 6], "OTHER": 7}
    assert take(keys, section, Oven) == {"shelf": 1, "degrees": None, "sizes": (5, 6)}
    assert take(keys, {**section, "DEGREES": 180.0}, Oven)["degrees"] == 180.0


def test_zero_may_stand_for_none() -> None:
    keys = {"DEGREES": argument(Oven, "degrees", none=0.0)}
    assert take(keys, {"DEGREES": 0.0}, Oven) == {"degrees": None}
    assert take(keys, {"DEGREES": 20.0}, Oven) == {"degrees": 20.0}


@pytest.mark.parametrize("name", ["name", "colour"])
def test_an_argument_without_a_default_is_no_key(name: str) -> None:
    with pytest.raises(ValueError, match=f"Oven has no argument '{name}' with a default"):
        argument(Oven, name)
