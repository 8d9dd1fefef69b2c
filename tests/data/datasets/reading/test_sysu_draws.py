from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.reading.sysu_draws import read_drawn_numbers


def test_a_row_for_each_draw(tmp_path: Path) -> None:
    people = np.empty((2, 1), dtype=object)
    people[0, 0], people[1, 0] = np.array([[3.0, 1, 2], [2, 3, 1]]), np.array([[1.0], [1.0]])
    cameras = np.empty((1, 1), dtype=object)
    cameras[0, 0] = people
    path = tmp_path / "rand_perm_cam.mat"
    savemat(path, {"rand_perm_cam": cameras})
    keys = [("cam1", 1), ("cam1", 2)]
    assert read_drawn_numbers(path, keys, num_draws=2, num_shots=2) == [[[3, 1], [1]], [[2, 3], [1]]]
    for key in (("cam2", 1), ("cam1", 3)):
        with pytest.raises(ValueError, match=rf"has no 2 draws for person {key[1]} in {key[0]}"):
            read_drawn_numbers(path, [key], num_draws=2, num_shots=1)
    with pytest.raises(ValueError, match="has no 3 draws for person 1 in cam1"):
        read_drawn_numbers(path, keys, num_draws=3, num_shots=1)
    savemat(path, {"other": cameras})
    with pytest.raises(ValueError, match="has no 2 draws for person 1"):
        read_drawn_numbers(path, keys, num_draws=2, num_shots=1)
