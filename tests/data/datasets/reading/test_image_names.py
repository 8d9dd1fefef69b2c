from __future__ import annotations

import re
from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.image_names import match_names

PATTERN = re.compile(r"(\d+)_(\d)")


def test_paths_and_matches_keep_the_order() -> None:
    matches = match_names(Path("a"), ["2_1.jpg", "1_0 x.jpg"], PATTERN, "numbers")
    assert [(path, match.groups()) for path, match in matches] == [
        (str(Path("a", "2_1.jpg")), ("2", "1")),
        (str(Path("a", "1_0 x.jpg")), ("1", "0")),
    ]


@pytest.mark.parametrize(("more", "text"), [([], ""), (["y.jpg", "z.jpg"], r" \(2 more like it\)")])
def test_the_first_strange_name_is_told(more: list[str], text: str) -> None:
    with pytest.raises(
        ValueError, match=rf"file name 'x\.jpg'{text} in b does not say .*: expected numbers; rename"
    ):
        match_names(Path("b"), ["1_1.jpg", "x.jpg", *more], PATTERN, "numbers")
