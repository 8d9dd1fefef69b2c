from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from reid_gl.experiment.reporting.report_images import (
    bytes_in_page,
    describe_images,
    encode_webp,
    make_thumbnails,
    rows_of_sides,
)
from reid_gl.records import ReidDataset, Sample
from tests.conftest import MakeSamples


def test_a_track_is_shown_by_its_first_frame_and_junk_not_at_all() -> None:
    query = tuple(
        Sample(name, 1, tracklet=track)
        for name, track in (("a", 3), ("b", 3), ("c", -1), ("d", -1), ("e", 1))
    )
    gallery = (Sample("f", -1), Sample("g", 2))
    sides = rows_of_sides(ReidDataset((), query, gallery))
    assert [[sample.path for sample in side] for side in sides] == [["a", "c", "d", "e"], ["g"]]


def test_names_are_relative_to_the_folder_of_all_images() -> None:
    found = describe_images([Sample("/data/query/a.jpg", 1, 2), Sample("/data/test/b.jpg", 3, -1)])
    assert found["folder"] == "/data"
    assert found["names"] == ["query/a.jpg", "test/b.jpg"]
    assert (found["pids"], found["camids"]) == ([1, 3], [2, -1])


def test_the_most_important_images_fill_the_room(make_samples: MakeSamples) -> None:
    samples = make_samples((1, 0), (2, 0), (3, 0), (4, 0))
    thumbnails, numbers = make_thumbnails(samples, [2, 0, 2, 3], 10**6)
    assert (len(thumbnails), numbers) == (3, [1, -1, 0, 2])
    room = bytes_in_page(thumbnails[0]) + bytes_in_page(thumbnails[1])
    fewer, numbers = make_thumbnails(samples, [2, 0, 2, 3], room)
    assert (fewer, numbers) == (thumbnails[:2], [1, -1, 0, -1])


def test_an_image_that_is_gone_has_no_copy(make_samples: MakeSamples) -> None:
    samples = make_samples((1, 0), (2, 0))
    Path(samples[0].path).unlink()
    assert make_thumbnails(samples, [0, 1], 10**6)[1] == [-1, 0]


def test_a_copy_keeps_colours_and_shape_and_is_never_larger() -> None:
    image = np.zeros((256, 128, 3), np.uint8)
    image[..., 0] = 200
    small = cv2.imdecode(np.frombuffer(encode_webp(image), np.uint8), cv2.IMREAD_COLOR)
    assert small.shape == (96, 48, 3)
    assert abs(int(small[50, 20, 2]) - 200) < 8  # BGR
    tiny = cv2.imdecode(np.frombuffer(encode_webp(image[:32, :16]), np.uint8), cv2.IMREAD_COLOR)
    assert tiny.shape == (32, 16, 3)


def test_a_box_is_cut_out(tmp_path: Path) -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20:] = 255
    assert cv2.imwrite(str(tmp_path / "frame.png"), image)
    (copy,), _ = make_thumbnails([Sample(str(tmp_path / "frame.png"), 1, box=(20, 0, 40, 40))], [0], 10**6)
    assert cv2.imdecode(np.frombuffer(copy, np.uint8), cv2.IMREAD_COLOR).min() > 240
