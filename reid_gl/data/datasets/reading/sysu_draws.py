"""Reads the draws of SYSU-MM01's authors: a MATLAB file of nested cells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from reid_gl.untrusted.matlab import read_matlab

DRAWS_FILE = "rand_perm_cam.mat"
FIELD = "rand_perm_cam"


def read_drawn_numbers(
    path: Path, keys: Sequence[tuple[str, int]], *, num_draws: int, num_shots: int
) -> list[list[list[int]]]:
    """Read which images each draw takes.

    Args:
        path: the file: a cell for each camera, in it a cell for each person, in it a row for each draw with
            the numbers of the person's images, in random order.
        keys: camera ("cam1" …) and person of each group to draw from.
        num_draws: draws to read.
        num_shots: images to take, the first ones of each row; all if there are fewer.

    Returns:
        For each draw and each key the numbers of the images, from 1.

    Raises:
        ValueError: the file is broken, or has no draws for one of the keys.
    """
    cameras = np.asarray(read_matlab(path, [FIELD]).get(FIELD, np.empty(0)), dtype=object).reshape(-1)
    draws: list[list[list[int]]] = [[] for _ in range(num_draws)]
    for camera, pid in keys:
        number = int(camera.removeprefix("cam"))
        people = np.asarray(cameras[number - 1] if number <= len(cameras) else [], dtype=object).reshape(-1)
        rows = np.asarray(people[pid - 1] if pid <= len(people) else [])
        if rows.ndim != 2 or len(rows) < num_draws or rows.dtype.kind not in "iuf" or not rows.size:
            raise ValueError(
                f"{path} has no {num_draws} draws for person {pid} in {camera}: take the file from the "
                "authors' evaluation code again"
            )
        for draw, row in zip(draws, rows, strict=False):
            draw.append([int(image) for image in row[:num_shots]])
    return draws
