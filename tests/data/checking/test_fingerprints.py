from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from reid_gl.data.checking.fingerprints import FILES_AT_ONCE, read_fingerprints
from reid_gl.data.checking.near_duplicates import make_sketch
from reid_gl.data.loading import images
from tests.data.made_up_images import blobs, write


def test_facts_of_a_image_and_of_boxes_in_it(tmp_path: Path) -> None:
    image = blobs(3, (40, 30))
    path = write(tmp_path / "a b ü.png", image)
    boxes = ((5, 4, 15, 34), (-2, 0, 8, 10), (20, 30, 30, 41), (30, 0, 40, 10), (9, 9, 9, 20), (22, 0, 32, 9))
    images = [(path, box) for box in boxes]
    prints = read_fingerprints([(path, None), *images, (path, None)])
    assert prints.images == ((path, None), *((path, box) for box in sorted(boxes)))
    assert prints.file_problems == ("",) * 7
    assert prints.sizes.tolist() == [[30, 40], [8, 10], [10, 30], [0, 0], [10, 10], [8, 9], [0, 0]]
    assert prints.is_cut.tolist() == [False, True, False, False, True, True, False]
    assert prints.box_problems[:3] == ("", "", "")
    assert prints.box_problems[4:6] == ("", "")
    assert (
        prints.box_problems[6]
        == f"box (30, 0, 40, 10) does not overlap image {path}, which has 30 x 40 pixels"
    )
    assert set(prints.digests) == {hashlib.sha256(Path(path).read_bytes()).digest()}
    code, thumbnail = make_sketch(image[4:34, 5:15, ::-1].copy())
    assert (prints.sketches.codes[2] == code).all()
    assert (prints.sketches.thumbnails[2] == thumbnail).all()


def test_what_cannot_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    good = write(tmp_path / "good.jpg", blobs(0))
    whole = Path(good).read_bytes()
    files = {"empty.jpg": b"", "text.jpg": b"no image", "cut.jpg": whole[: len(whole) // 2]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    (tmp_path / "folder.jpg").mkdir()
    os.mkfifo(tmp_path / "pipe.jpg")
    names = ["cut.jpg", "empty.jpg", "folder.jpg", "missing.jpg", "pipe.jpg", "text.jpg"]
    prints = read_fingerprints([(str(tmp_path / name), None) for name in [*names, "good.jpg"]])
    problems = {
        Path(path).name: problem
        for (path, _), problem in zip(prints.images, prints.file_problems, strict=True)
    }
    assert problems.pop("good.jpg") == ""
    endings = {
        "cut.jpg": "cut.jpg is truncated: restore or remove the file",
        "empty.jpg": "empty.jpg is empty (0 bytes): restore or remove the file",
        "folder.jpg": "folder.jpg is not a file but a folder: remove it or give a regular file",
        "missing.jpg": "missing.jpg does not exist",
        "pipe.jpg": "pipe.jpg is not a file but a pipe: remove it or give a regular file",
        "text.jpg": "(its first bytes are b'no image'): remove it from the folder",
    }
    assert list(problems) == names
    for name, ending in endings.items():
        assert problems[name].endswith(ending)
    readable = [path for (path, _), digest in zip(prints.images, prints.digests, strict=True) if digest]
    assert readable == [good]
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    assert (
        "claims 64 x 128 pixels, more than 1,000 are not decoded"
        in read_fingerprints([(good, None)]).file_problems[0]
    )


def test_a_file_that_may_not_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "closed.jpg", blobs(0))

    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert read_fingerprints([(path, None)]).file_problems == (
        f"image {path} cannot be opened: Permission denied",
    )


def test_neither_threads_nor_order_change_anything_and_progress_ends_at_the_total(tmp_path: Path) -> None:
    images = [
        (write(tmp_path / f"{seed:03}.png", blobs(seed, (16, 8))), None) for seed in range(FILES_AT_ONCE + 5)
    ]
    told: list[tuple[int, int]] = []
    one = read_fingerprints(images, num_threads=1, progress=lambda done, total: told.append((done, total)))
    several = read_fingerprints(images[::-1], num_threads=4)
    assert told == [(FILES_AT_ONCE, FILES_AT_ONCE + 5), (FILES_AT_ONCE + 5, FILES_AT_ONCE + 5)]
    assert one.images == several.images == tuple(images)
    assert one.digests == several.digests
    assert (one.sketches.codes == several.sketches.codes).all()
    assert (one.sketches.thumbnails == several.sketches.thumbnails).all()


def test_no_image_at_all() -> None:
    prints = read_fingerprints([])
    assert prints.images == ()
    assert prints.sizes.shape == (0, 2)
    assert prints.sketches.codes.shape == (0, 2)
