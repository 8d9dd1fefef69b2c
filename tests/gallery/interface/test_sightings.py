from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from reid_gl.gallery import Gallery
from reid_gl.gallery.interface.sightings import Sighting, check_sightings, unit_features
from tests.gallery.made_up_galleries import features


def test_numpys_numbers_become_pythons() -> None:
    given = Sighting(
        camera=np.int32(3),  # type: ignore[arg-type]
        time=np.float64(2.5),
        tracklet=np.uint8(4),  # type: ignore[arg-type]
        path=Path("a") / "b.jpg",  # type: ignore[arg-type]
        box=np.array([1, 2, 3, 4], np.float32),  # type: ignore[arg-type]
    )
    (found,) = check_sightings([given], 1)
    assert found == Sighting(3, 2.5, 4, path="a/b.jpg", box=(1.0, 2.0, 3.0, 4.0))
    assert [type(value) for value in (found.camera, found.time, found.tracklet)] == [int, float, int]
    assert check_sightings([Sighting(time=0, box=(0, 0, 0, 0))], 1)[0].time == 0.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"camera": -2}, "metadata of row 1: camera must be a whole number from 0, or -1 if unknown, got -2"),
        ({"camera": 1.5}, "camera must be a whole number"),
        ({"camera": "front"}, "camera must be a whole number"),
        ({"tracklet": 2**63}, "tracklet must be a whole number"),
        ({"pid": None}, "pid must be a whole number"),
        ({"frame": -2}, "frame must be a whole number"),
        ({"time": float("nan")}, "time must be a finite number, got nan"),
        ({"time": 1.7e12}, "time must be seconds since 1970, got 1.7e[+]12: are these milliseconds"),
        ({"time": "08:30"}, "time must be a finite number, got '08:30'"),
        ({"path": "a\udcff.jpg"}, "is not valid Unicode: rename the file"),
        ({"box": (1, 2, 3)}, "box must be x1, y1, x2, y2, got"),
        ({"box": (5, 2, 3, 4)}, "with x1 <= x2 and y1 <= y2"),
        ({"box": (0, 0, float("inf"), 4)}, "box must be a finite number"),
    ],
)
def test_metadata_that_cannot_be(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_sightings([Sighting(), Sighting(**given)], 2)


def test_metadata_of_another_kind() -> None:
    with pytest.raises(TypeError, match="metadata of row 0 is a dict: expected a Sighting"):
        check_sightings([{"camera": 1}], 1)  # type: ignore[list-item]


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e15])
@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64, np.int16])
def test_features_of_any_length_and_kind(scale: float, kind: type) -> None:
    given = (10 * features(4)).astype(kind)
    if kind in (np.float32, np.float64):
        given = given * kind(scale)
    unit = unit_features("features", given, 16)
    assert unit.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(unit, axis=1), 1.0, rtol=1e-6)
    expected = given.astype(np.float64)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(unit, expected, atol=1e-6)


def test_strange_but_right_paths_and_numbers_survive(tmp_path: Path) -> None:
    given = [
        Sighting(2**62, -1e11, 0, 2**63 - 1, "", 2**40, (-5.5, -1e9, 0.0, 1e300)),
        Sighting(path="'; DROP TABLE vectors; --"),
        Sighting(path="人/🏃\n\x00end.jpg", time=-0.0, box=(0.0, 0.0, 0.0, 0.0)),
    ]
    with Gallery(tmp_path / "people.db") as gallery:
        gallery.add(features(3), given)
        assert gallery.verify().is_whole
        assert [answer[0].sighting for answer in gallery.search(features(3), 1)] == given
        assert gallery.search(features(1), 9, cameras=2**62)[0][0].sighting == given[0]
        assert gallery.delete(pids=2**63 - 1) == 1
        assert gallery.delete(pids=2**70) == 0
        assert gallery.search(features(1), 9, exclude={"pid": [2**70, -(2**70)]})[0]
