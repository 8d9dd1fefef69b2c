from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.reading.mat_files import read_whole_numbers


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float64])
@pytest.mark.parametrize("compressed", [False, True])
def test_numbers_of_any_type(tmp_path: Path, dtype: type, compressed: bool) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"a": np.array([[1, 2, 3], [4, 5, 6]], dtype=dtype), "b": [1]}, do_compression=compressed)
    numbers = read_whole_numbers(path, "a", columns=3)
    assert numbers.dtype == np.int64
    assert numbers.tolist() == [[1, 2, 3], [4, 5, 6]]
    assert read_whole_numbers(path, "b").tolist() == [[1]]


@pytest.mark.parametrize("compressed", [False, True])
def test_a_file_cut_anywhere_gives_one_sentence(tmp_path: Path, compressed: bool) -> None:
    path = tmp_path / "a.mat"
    savemat(path, {"a": np.arange(40.0).reshape(10, 4)}, do_compression=compressed)
    content = path.read_bytes()
    for length in range(0, len(content), 7):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"a\.mat (cannot be read as a MATLAB file|has no var)[^\n]*$"):
            read_whole_numbers(path, "a")


def test_something_else_than_a_mat_file(tmp_path: Path) -> None:
    path = tmp_path / "a.mat"
    path.write_text("<!DOCTYPE html>" * 50)
    with pytest.raises(ValueError, match="cannot be read as a MATLAB file: expected version 5 to 7"):
        read_whole_numbers(path, "a")


@pytest.mark.parametrize(
    "value", [np.ones((2, 3)), [[0.5, 1, 2, 3]], np.ones((2, 2, 4)), "text", np.ones((0, 4))]
)
def test_another_matrix_than_expected(tmp_path: Path, value: Any) -> None:
    savemat(tmp_path / "a.mat", {"a": value})
    with pytest.raises(
        ValueError, match=r"a in .*a\.mat is .*: expected a matrix of whole numbers with 4 col"
    ):
        read_whole_numbers(tmp_path / "a.mat", "a", columns=4)


def test_a_missing_variable(tmp_path: Path) -> None:
    savemat(tmp_path / "a.mat", {"b": [1]})
    with pytest.raises(
        ValueError, match=r"a\.mat has no variable 'a', so it is broken or another file: take"
    ):
        read_whole_numbers(tmp_path / "a.mat", "a")
