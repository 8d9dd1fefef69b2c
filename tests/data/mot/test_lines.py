from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.mot.lines import check_rows, read_numbers
from tests.data.mot.made_up_boxes import random_lines


def test_rows_and_their_lines_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("\ufeff1,2,3\n\n  \n4 5 -0.5\n6,7,8,\n")
    rows, lines = read_numbers(path, (3, 4))
    assert rows.tolist() == [[1, 2, 3], [4, 5, -0.5], [6, 7, 8]]
    assert lines.tolist() == [1, 4, 5]


def test_an_empty_file_has_the_first_number_of_columns(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n")
    rows, lines = read_numbers(tmp_path / "a.txt", (7, 10))
    assert (rows.shape, lines.shape) == ((0, 7), (0,))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("between", [" ", ", ", "  ", "\t", " ,"])
def test_spaces_between_numbers(tmp_path: Path, between: str, seed: int) -> None:
    lines = random_lines(seed, 9)
    (tmp_path / "gt.txt").write_text("\n".join(lines))
    (tmp_path / "spaced.txt").write_text("\n".join(line.replace(",", between) + " " for line in lines))
    plain, spaced = (read_numbers(tmp_path / name, (9, 10)) for name in ("gt.txt", "spaced.txt"))
    for expected, found in zip(plain, spaced, strict=True):
        assert np.array_equal(found, expected)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n\n1,x\n", r"a\.txt line 3: expected numbers with commas or spaces .*got '1,x'$"),
        ("1,2,3,4\n", "line 1: expected 2 or 3 numbers, got 4"),
        ("1,2\n1,2,3\n", "line 2 has 3 numbers, line 1 has 2"),
    ],
)
def test_broken_lines_are_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_numbers(tmp_path / "a.txt", (2, 3))


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"a\.txt does not exist$"):
        read_numbers(tmp_path / "a.txt", (2, 3))


def test_the_first_row_that_breaks_a_rule_is_named_and_the_others_counted() -> None:
    lines = np.array([1, 3, 4])
    check_rows(np.ones(3, dtype=bool), lines, Path("a"), "be good")
    with pytest.raises(ValueError, match=r"^a line 3: be good$"):
        check_rows(np.array([True, False, True]), lines, Path("a"), "be good")
    with pytest.raises(ValueError, match=r"^a line 1 \(1 more lines like it\): be good$"):
        check_rows(np.array([False, True, False]), lines, Path("a"), "be good")
