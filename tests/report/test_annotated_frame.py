from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from reid_gl.report.annotated_frame import NOBODY, LabelledBox, draw_boxes, identity_color

GREY = np.full((200, 300, 3), 90, np.uint8)


def test_a_box_is_drawn_in_the_colour_of_its_identity() -> None:
    drawn = draw_boxes(GREY, [LabelledBox((50, 60, 90, 160), 3, 0.87)])
    assert tuple(drawn[120, 50]) == tuple(drawn[159, 70]) == identity_color(3)
    assert (drawn[110:150, 60:80] == 90).all()  # the person stays visible
    assert (GREY == 90).all()
    assert (drawn[45:60, 50:90] == identity_color(3)).all(axis=2).sum() > 100  # the label above


def test_nobody_is_grey_without_a_label() -> None:
    drawn = draw_boxes(GREY, [LabelledBox((50, 60, 90, 160), 0, 0.0)])
    assert tuple(drawn[120, 50]) == NOBODY
    assert (drawn[:60] == 90).all()


def test_who_is_nearer_is_drawn_over_who_is_behind() -> None:
    near, far = LabelledBox((60, 60, 100, 190), 1, 0.9), LabelledBox((60, 60, 100, 120), 2, 0.9)
    for boxes in ([near, far], [far, near]):
        assert tuple(draw_boxes(GREY, boxes)[100, 60]) == identity_color(1)


@pytest.mark.parametrize(
    "corners", [(-20, -30, 40, 50), (280, 150, 900, 900), (-1e9, -1e9, 1e9, 1e9), (0, 0, 0, 0)]
)
def test_a_box_across_the_edge_has_its_label_inside(corners: tuple[float, float, float, float]) -> None:
    drawn = draw_boxes(GREY, [LabelledBox(corners, 5, 0.5)])
    assert drawn.shape == GREY.shape
    assert (drawn == identity_color(5)).all(axis=2).sum() > 100


def test_a_frame_smaller_than_a_label() -> None:
    assert draw_boxes(GREY[:9, :12], [LabelledBox((0, 0, 5, 5), 1, 0.5)]).shape == (9, 12, 3)


def test_colours_are_stable_and_differ() -> None:
    colors = [identity_color(number) for number in range(1, 31)]
    assert colors == [identity_color(number) for number in range(1, 31)]
    assert len(set(colors)) == 30
    distances = [np.abs(np.subtract(a, b)).max() for a, b in pairwise(colors)]
    assert min(distances) > 100
