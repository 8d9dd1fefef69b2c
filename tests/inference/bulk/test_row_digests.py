from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.row_digests import digest_rows


@pytest.fixture
def crops(tmp_path: Path) -> CropList:
    paths = tuple(str(tmp_path / f"{name}.jpg") for name in "aabc")
    for path in paths:
        Path(path).write_bytes(b"12345")
    boxes = np.arange(16.0).reshape(4, 4)
    return CropList("list", paths, columns={"pids": np.arange(4)}, boxes=boxes)


def test_rows_are_known_by_their_images_and_boxes_alone(crops: CropList) -> None:
    first = digest_rows(crops, 0, 2)
    assert first == digest_rows(replace(crops, name="other", columns={}), 0, 2)
    shifted = replace(crops, paths=("x", *crops.paths), boxes=np.vstack([np.zeros((1, 4)), crops.boxes]))
    assert first == digest_rows(shifted, 1, 3)
    others = [
        digest_rows(crops, 0, 3),
        digest_rows(crops, 1, 3),
        digest_rows(replace(crops, boxes=None), 0, 2),
        digest_rows(replace(crops, boxes=crops.boxes + 0.5), 0, 2),
        digest_rows(replace(crops, paths=crops.paths[::-1]), 0, 2),
    ]
    assert len({first, *others}) == 6


def test_a_file_that_changed_or_went_is_another(crops: CropList) -> None:
    path = Path(crops.paths[0])
    digests = [digest_rows(crops, 0, 2)]
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    digests.append(digest_rows(crops, 0, 2))
    path.write_bytes(b"123456")
    digests.append(digest_rows(crops, 0, 2))
    path.unlink()
    digests.append(digest_rows(crops, 0, 2))
    assert len(set(digests)) == 4


def test_frames_of_a_video_count_by_their_numbers(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"film")
    crops = CropList("a", video=video, columns={"frames": np.array([1, 1, 2]), "ids": np.array([7, 8, 7])})
    assert digest_rows(crops, 0, 1) == digest_rows(crops, 1, 2)
    assert digest_rows(crops, 0, 1) != digest_rows(crops, 2, 3)


def test_names_that_are_no_text_have_a_digest_too(tmp_path: Path) -> None:
    crops = CropList("a", paths=(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.jpg"),))
    assert len(digest_rows(crops, 0, 1)) == 64
