from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reid_gl.synthetic.raster import Part, draw_part, outline, rounded

GREY = np.full((1, 1, 3), 100, np.float32)
BAR = Part(start=(10.0, 5.0), end=(10.0, 15.0), profile=((0.0, 4.0), (1.0, 4.0)), tile=GREY, depth=0.0)


def _drawn(part: Part, light: float = 0.0) -> np.ndarray:
    canvas = np.zeros((20, 20, 3), np.float32)
    draw_part(canvas, part, light)
    return canvas


def test_corners_of_an_upright_bar_by_hand() -> None:
    assert outline(BAR) == [(14, 5), (14, 15), (6, 15), (6, 5)]
    tapered = replace(BAR, profile=((-0.5, 1.0), (1.0, 2.0)))
    assert outline(tapered) == [(11, 0), (12, 15), (8, 15), (9, 0)]


def test_a_part_without_length_points_down() -> None:
    assert outline(replace(BAR, end=BAR.start)) == [(14, 5), (14, 6), (6, 6), (6, 5)]


def test_round_ends_reach_as_far_as_they_are_wide() -> None:
    profile = rounded(20.0, 4.0, 2.0)
    assert [share for share, _ in profile] == sorted(share for share, _ in profile)
    assert (profile[0][0], profile[-1][0]) == (-4 / 20, 1 + 2 / 20)
    assert dict(profile)[0.0] == 4
    assert dict(profile)[1.0] == 2
    assert max(width for _, width in profile) == 4
    assert rounded(0.0, 4.0, 2.0) == rounded(1.0, 4.0, 2.0)


def test_only_what_lies_inside_is_painted_and_the_middle_gets_most_light() -> None:
    canvas = _drawn(BAR)
    painted = canvas[..., 0] > 0
    assert painted[6:15, 7:14].all()
    assert not painted[:, :5].any()
    assert not painted[:, 16:].any()
    assert not painted[:4].any()
    assert not painted[17:].any()
    assert canvas[10, 10, 0] == pytest.approx(106, abs=0.5)  # 0.66 + 0.4 cos(0) of it
    assert canvas[10, 7, 0] < canvas[10, 8, 0] < canvas[10, 10, 0]
    assert (canvas == canvas[..., :1]).all()


def test_light_from_the_right_brightens_the_right() -> None:
    right, left = _drawn(BAR, 1.2), _drawn(BAR, -1.2)
    assert right[10, 13, 0] > right[10, 7, 0]
    np.testing.assert_allclose(left[10, 6:15], right[10, 14:5:-1], atol=1.0)


def test_shade_is_a_gain() -> None:
    np.testing.assert_allclose(_drawn(replace(BAR, shade=0.5)), 0.5 * _drawn(BAR), atol=1e-4)


@pytest.mark.parametrize("shift", [(-100, 0), (0, -100), (100, 0), (0, 100)])
def test_a_part_outside_the_canvas_paints_nothing(shift: tuple[float, float]) -> None:
    start, end = ((x + shift[0], y + shift[1]) for x, y in (BAR.start, BAR.end))
    assert not _drawn(replace(BAR, start=start, end=end)).any()


def test_a_part_across_the_border_is_cut_off() -> None:
    whole = _drawn(BAR)
    cut = np.zeros((20, 11, 3), np.float32)
    draw_part(cut, BAR, 0.0)
    np.testing.assert_allclose(cut, whole[:, :11], atol=1.0)  # antialiasing of the corners


def test_the_middle_column_of_a_texture_is_its_front_and_rows_run_from_start_to_end() -> None:
    tile = np.zeros((40, 64, 3), np.float32)
    tile[:20, :, 2] = 200  # the upper half is red
    tile[:, 24:40, 1] = 200  # and the front is green
    part = replace(BAR, tile=tile, rows=39.0, per_radian=64 / (2 * np.pi))
    front, back = _drawn(part), _drawn(replace(part, yaw=np.pi))
    assert front[7, 10, 2] > 150 > front[13, 10, 2]
    assert front[10, 10, 1] > 150
    assert back[10, 10, 1] == 0
