"""A tiny set in Market-1501 layout: blocks of colour that stand for people."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

CAMERAS = 2


def write_people(
    root: Path, *, num_people: int = 8, images: int = 3, size: tuple[int, int] = (64, 32)
) -> Path:
    """Training people 1..num_people; people 101.. as query and gallery; one distractor, one junk image."""
    folders = {name: root / name for name in ("bounding_box_train", "query", "bounding_box_test")}
    for folder in folders.values():
        folder.mkdir(parents=True)
    for person in range(1, num_people + 1):
        for camera in range(1, CAMERAS + 1):
            for number in range(images):
                _write(folders["bounding_box_train"], person, camera, number, size)
                _write(folders["bounding_box_test"], 100 + person, camera, number + 1, size)
        _write(folders["query"], 100 + person, 1, 0, size)
    _write(folders["bounding_box_test"], 0, 1, 0, size)
    _write(folders["bounding_box_test"], -1, 2, 0, size)
    return root


def _write(folder: Path, person: int, camera: int, number: int, size: tuple[int, int]) -> None:
    colours = np.random.default_rng((77, person + 1)).integers(30, 226, size=(4, 1, 3))
    rng = np.random.default_rng((person + 1, camera, number))
    image = np.repeat(np.repeat(colours, size[0] // 4, axis=0), size[1], axis=1).astype(float)
    image = np.clip(image + rng.normal(0, 8, image.shape) + 5 * camera, 0, 255).astype(np.uint8)
    name = f"{person:04d}" if person >= 0 else "-1"
    assert cv2.imwrite(str(folder / f"{name}_c{camera}s1_{number:06d}_00.jpg"), image)
