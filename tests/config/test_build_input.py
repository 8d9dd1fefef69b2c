from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reid_gl.config import build, load_config
from reid_gl.data.loading.cache_format import CacheForm
from tests.conftest import MakeSamples


def test_by_default_pictures_are_squeezed_and_padded() -> None:
    config = load_config(None, [])
    assert build.build_preprocessing(config).shorter_side == 0
    augmentation = build.build_augmentation(config)
    assert not augmentation.crops
    assert augmentation.pad == 10
    assert build.build_loading(config, torch.device("cuda"))["change_on"] is None


def test_centre_and_crops_of_retrieval() -> None:
    words = ["INPUT.SIZE", "[224,224]", "INPUT.SHORTER_SIDE", "256", "INPUT.CROP_AREA", "[0.2,1.0]"]
    config = load_config(None, [*words, "INPUT.PAD", "0"])
    assert build.build_preprocessing(config).shorter_side == 256
    assert build.build_augmentation(config).crop_area == (0.2, 1.0)
    with pytest.raises(ValueError, match=r"pad must be 0 \(INPUT.PAD 0\), got 10"):
        build.build_augmentation(load_config(None, words))


def test_the_cache_is_of_the_configured_form(make_samples: MakeSamples, tmp_path: Path) -> None:
    samples = make_samples((1, 0), (2, 0))
    config = load_config(None, ["DATA.CACHE", str(tmp_path / "cache")])
    preprocessing, augmentation = build.build_preprocessing(config), build.build_augmentation(config)
    cache = build.build_cache(config, samples, preprocessing, augmentation)
    assert cache is not None
    assert cache.form == CacheForm(preprocessing).to_dict()
    assert build.build_cache(load_config(None, []), samples, preprocessing, augmentation) is None


def test_what_a_cache_leaves_to_do_is_done_by_an_accelerator() -> None:
    config = load_config(None, ["DATA.CACHE", "somewhere"])
    assert build.build_loading(config, torch.device("cpu"))["change_on"] is None
    assert build.build_loading(config, torch.device("cuda"))["change_on"] == torch.device("cuda")
