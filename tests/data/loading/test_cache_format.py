from __future__ import annotations

import numpy as np
import pytest

from reid_gl.data.loading.cache_format import CacheForm, read_sample
from reid_gl.data.loading.images import read_image
from reid_gl.data.loading.transforms import Preprocessing, scale_shorter_side
from reid_gl.records import Sample
from tests.conftest import WriteNoise


def test_without_crops_the_input_itself_is_kept(write_noise: WriteNoise) -> None:
    sample = Sample(str(write_noise("a.png", size=(40, 30))), 1, box=(2, 3, 22, 33))
    for preprocessing in (Preprocessing(16, 8), Preprocessing(16, 8, shorter_side=18)):
        form = CacheForm(preprocessing)
        assert np.array_equal(form.keep(sample), preprocessing.resize(read_sample(sample)))
        assert form.keep(sample).size == form.estimate_bytes()


@pytest.mark.parametrize(("shorter_side", "kept"), [(0, 24), (30, 30)])  # 21 x 8 / 7
def test_for_crops_the_whole_image_is_kept_no_larger_than_needed(
    write_noise: WriteNoise, shorter_side: int, kept: int
) -> None:
    form = CacheForm(Preprocessing(21, 8, "area", shorter_side=shorter_side), for_crops=True)
    large, small = write_noise("large.png", size=(90, 60)), write_noise("small.png", size=(20, 90))
    image = form.keep(Sample(str(large), 1))
    assert np.array_equal(image, scale_shorter_side(read_image(large), kept, kernel="area"))
    assert image.shape[:2] == (kept * 3 // 2, kept)
    assert image.size == form.estimate_bytes()
    assert np.array_equal(form.keep(Sample(str(small), 1)), read_image(small))


def test_boxes_are_cut_out(write_noise: WriteNoise) -> None:
    path = write_noise("a.png", size=(40, 30))
    assert np.array_equal(read_sample(Sample(str(path), 1, box=(2, 3, 9, 40))), read_image(path)[3:40, 2:9])
    assert np.array_equal(read_sample(Sample(str(path), 1)), read_image(path))


def test_only_what_decides_about_pixels_counts() -> None:
    values = CacheForm(Preprocessing(64, 32)).to_dict()
    assert values == {"height": 64, "width": 32, "kernel": "linear", "shorter_side": 0, "for_crops": False}
    assert CacheForm(Preprocessing(64, 32, mean=(0.1, 0.1, 0.1))).to_dict() == values
