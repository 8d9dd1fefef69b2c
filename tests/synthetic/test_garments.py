from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid_gl.synthetic.garments import SIDE_SEAMS, TILE_HEIGHT, TILE_WIDTH, cloth_tile
from reid_gl.synthetic.palette import CLOTH
from tests.synthetic.one_person import SHIRT

FRONT = TILE_WIDTH // 2


def _whiteness(texture: str, part: str = "limb", **changes: object) -> np.ndarray:
    """How far each texel of a red garment with a white pattern is from red to white."""
    tile = cloth_tile(replace(SHIRT, texture=texture, **changes), part)  # type: ignore[arg-type]
    red, white = (np.array(CLOTH[name], dtype=np.float64) for name in ("red", "white"))
    shares = (tile / tile.sum(axis=2, keepdims=True))[..., 1]
    first, last = red[1] / red.sum(), white[1] / white.sum()
    return (shares - first) / (last - first)


def test_plain_cloth_has_one_colour_with_soft_folds() -> None:
    tile = cloth_tile(SHIRT, "limb")
    assert (tile.shape, tile.dtype) == ((TILE_HEIGHT, TILE_WIDTH, 3), np.float32)
    np.testing.assert_allclose(_whiteness("plain"), 0, atol=1e-3)
    gain = tile / np.array(CLOTH["red"])
    assert 0.01 < gain.std() < 0.1
    assert gain.mean() == pytest.approx(1, abs=0.05)


def test_stripes_are_even_across_and_along() -> None:
    across = _whiteness("stripes_across")
    assert across.std(axis=1).max() < 0.01
    np.testing.assert_allclose(across[:22], across[22:44], atol=0.01)
    down = _whiteness("stripes_down")
    assert down.std(axis=0).max() < 0.01
    assert 0.3 < (down > 0.5).mean() < 0.6
    checks = _whiteness("checks")
    assert {0, 1} == {round(float(value)) for value in (checks.min(), checks.max())}


@pytest.mark.parametrize("period", [22, 44])
def test_stripes_meet_at_the_seam(period: int) -> None:
    row = _whiteness("stripes_down", period=period)[50] > 0.5
    changes = np.flatnonzero(row != np.roll(row, 1))
    gaps = np.diff(np.append(changes, changes[0] + TILE_WIDTH))[::2]
    assert gaps.max() - gaps.min() <= 1


def test_a_logo_and_an_opening_are_on_the_chest_only() -> None:
    assert _whiteness("logo", "torso")[:, FRONT].max() > 0.9
    np.testing.assert_allclose(_whiteness("logo", "limb"), 0, atol=1e-3)
    emblems = [_whiteness("logo", "torso", variant=variant) > 0.5 for variant in range(4)]
    assert len({emblem.sum() for emblem in emblems}) == 4
    for cut in ("jacket", "coat"):
        assert _whiteness("plain", "torso", cut=cut)[100, FRONT] > 0.9
        assert _whiteness("plain", "torso", cut=cut)[100, FRONT + 30] == pytest.approx(0, abs=1e-3)
        np.testing.assert_allclose(_whiteness("plain", "limb", cut=cut), 0, atol=1e-3)


def test_bands_and_seams_lie_where_they_belong() -> None:
    band = _whiteness("band") > 0.5
    assert np.flatnonzero(band.any(axis=1)).tolist() == list(range(26, 58))
    seams = _whiteness("side_stripe") > 0.5
    expected = {seam + shift for seam in SIDE_SEAMS for shift in range(-5, 5)}
    assert (
        set(np.flatnonzero(seams.all(axis=0)).tolist()) == set(np.flatnonzero(seams.any(axis=0))) == expected
    )


def test_a_print_is_drawn_alike_for_one_variant_and_otherwise_for_another() -> None:
    first, second = (_whiteness("print", variant=variant) > 0.5 for variant in (0, 1))
    assert 0.1 < first.mean() < 0.6
    assert (first != second).mean() > 0.05
    cloth_tile.cache_clear()
    assert np.array_equal(_whiteness("print", variant=0) > 0.5, first)
