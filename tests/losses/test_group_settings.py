from __future__ import annotations

import math
import re
from typing import Any

import pytest

from reid_gl.losses.group_settings import MAX_SCALE, GroupSettings, check_choice, check_form

PAPER: dict[str, Any] = {
    "num_steps": 3,
    "temperature": 10.0,
    "similarity": "pearson",
    "negatives": "clip",
    "similarity_scale": None,
    "self_similarity": True,
    "class_subset": "all",
    "positives": "sum",
}
SHARP = {**PAPER, "similarity_scale": 10.0, "self_similarity": False}


@pytest.mark.parametrize(
    ("base", "changes", "sentence"),
    [
        (PAPER, {"num_steps": 0}, "Group Loss needs at least one step, got 0"),
        *((PAPER, {"temperature": value}, f"temperature must be a positive number, got {value}")
          for value in (0.0, -1.0, math.inf, math.nan)),
        (PAPER, {"similarity": "dot"}, "unknown similarity 'dot': expected one of pearson, cosine"),
        (PAPER, {"negatives": "keep"}, "unknown treatment of negatives 'keep': expected one of clip, shift"),
        (PAPER, {"class_subset": "some"}, "unknown class subset 'some': expected one of all, batch"),
        (PAPER, {"positives": "hard"}, "unknown support of positives 'hard': expected one of sum, geometric"),
        *((SHARP, {"similarity_scale": value}, "must be positive and at most 40, beyond which float32 cannot")
          for value in (0.0, -1.0, MAX_SCALE + 1.0, math.inf, math.nan)),
        (SHARP, {"self_similarity": True}, "similarity_scale needs self_similarity=False: with a sharp"),
        (SHARP, {"negatives": "shift"}, "no negative similarities: negatives='shift' has no effect"),
    ],
)  # fmt: skip
def test_settings_that_make_no_sense(base: dict[str, Any], changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=re.escape(sentence)):
        GroupSettings(**{**base, **changes})


@pytest.mark.parametrize(
    "changes", [{"similarity_scale": None}, {"self_similarity": True, "similarity_scale": None}]
)
def test_leave_one_out_needs_a_scale_and_no_vote_of_an_image_on_itself(changes: dict[str, Any]) -> None:
    check_form(leave_one_out=True, settings=GroupSettings(**{**SHARP, "positives": "geometric"}))
    with pytest.raises(
        ValueError, match=r"need self_similarity=False, .* a similarity_scale such as 10\.0: "
    ):
        check_form(leave_one_out=True, settings=GroupSettings(**{**SHARP, **changes}))


def test_the_form_of_the_paper_sums_the_support_of_positives() -> None:
    check_form(leave_one_out=False, settings=GroupSettings(**PAPER))
    with pytest.raises(ValueError, match="positives='geometric' is for anchors 'others' only"):
        check_form(leave_one_out=False, settings=GroupSettings(**{**PAPER, "positives": "geometric"}))


def test_a_choice_that_is_none() -> None:
    check_choice("colour", "red", {"red": 1, "blue": 2})
    with pytest.raises(ValueError, match=r"^unknown colour 'green': expected one of red, blue$"):
        check_choice("colour", "green", {"red": 1, "blue": 2})
