from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.mot import lines as lines_module
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


def _usual(seed: int, num_lines: int) -> list[str]:
    """Lines as trackers write them, with integers, decimals of any length and exponents."""
    rng = np.random.default_rng(seed)
    forms = ("%d", "%.2f", "%.17g", "%.3e", "%+.1f")
    return [
        ",".join(forms[int(form)] % value for form, value in zip(rng.integers(5, size=7), row, strict=True))
        for row in rng.normal(scale=1e3, size=(num_lines, 7))
    ]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("end", ["\n", "\r\n", " \n"])
def test_usual_lines_are_read_together_and_to_the_same_bits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, end: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_text(end.join(_usual(seed, 50)), newline="")
    with monkeypatch.context() as patch:
        patch.setattr(lines_module, "_parse_plain", lambda lines: None)
        expected = read_numbers(path, (7, 10))
    monkeypatch.setattr(lines_module, "_parse_line", lambda *_: pytest.fail("read one by one"))
    for size in (50_000, 7):
        monkeypatch.setattr(lines_module, "LINES_AT_ONCE", size)
        for found, slow in zip(read_numbers(path, (7, 10)), expected, strict=True):
            assert np.array_equal(found, slow)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2\n1,2\n1,2\n\n1,x\n", "line 5: expected numbers"),
        ("1,2\n1,2\n1,2,3\n1,2,3\n", "line 3 has 3 numbers, line 1 has 2"),
        ("1,2\n1,2\n1 2 3\n1 2 3\n", "line 3 has 3 numbers, line 1 has 2"),
        ("1,2\n1,2\n1,2,3,4\n1,2,3,4\n", "line 3: expected 2 or 3 numbers, got 4"),
        ("\n\n\n\n1,2\n\n1,2,\n1,2,3\n", "line 8 has 3 numbers, line 5 has 2"),
    ],
)
def test_lines_are_compared_beyond_those_read_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str
) -> None:
    monkeypatch.setattr(lines_module, "LINES_AT_ONCE", 2)
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_numbers(tmp_path / "a.txt", (2, 3))


@pytest.mark.parametrize(
    "line", ["1_0,2", "٣,2", "nan,2", "inf,2", "0x10,2", "1,2 3", '"1",2', "1;2", "#1,2"]
)
def test_words_that_numpy_may_take_for_numbers_are_read_as_by_python(tmp_path: Path, line: str) -> None:
    path = tmp_path / "a.txt"
    path.write_text(f"5,6\n{line}\n")
    try:
        expected = [[5.0, 6.0], [float(word) for word in line.split(",")]]
    except ValueError:
        with pytest.raises(ValueError, match="line 2: expected numbers"):
            read_numbers(path, (2, 3))
    else:
        assert np.array_equal(read_numbers(path, (2, 3))[0], expected, equal_nan=True)
