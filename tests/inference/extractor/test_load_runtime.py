"""What a caller may say of the networks of others; exported files are in test_exported."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
import torchvision
from PIL import Image

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from tests.tiny_checkpoint import write_checkpoint

FACTS = {
    "input_size": (64, 32),
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "pixel_range": 1.0,
    "channel_order": "rgb",
}


@pytest.fixture(scope="module")
def baseline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Weights of reid-strong-baseline without a neck."""
    torch.manual_seed(0)
    net = torchvision.models.resnet18(weights=None)
    tensors = {
        f"base.{name}": value for name, value in net.state_dict().items() if not name.startswith("fc.")
    }
    path = tmp_path_factory.mktemp("weights") / "baseline.pth"
    torch.save(tensors, path)
    return path


def test_the_kernel_is_the_projects_unless_the_caller_says_another(baseline: Path) -> None:
    assert FeatureExtractor(baseline, architecture="resnet18").preprocessing.kernel == "antialiased_linear"
    said = FeatureExtractor(baseline, architecture="resnet18", kernel="area")
    assert said.preprocessing == Preprocessing(kernel="area")
    full = FeatureExtractor(baseline, architecture="resnet18", **FACTS)
    assert full.preprocessing == Preprocessing(64, 32, "antialiased_linear")
    full = FeatureExtractor(baseline, architecture="resnet18", kernel="cubic", **FACTS)
    assert full.preprocessing == Preprocessing(64, 32, "cubic")
    with pytest.raises(ValueError, match="unknown kernel 'lanczos': expected one of linear"):
        FeatureExtractor(baseline, architecture="resnet18", kernel="lanczos")


def test_crops_shrink_as_the_project_shrinks_them(baseline: Path) -> None:
    crop = cv2.resize(np.random.default_rng(0).integers(0, 256, (60, 30, 3)).astype(np.uint8), (200, 400))
    extractor = FeatureExtractor(
        baseline, architecture="resnet18", color_order="rgb", precision="float32", **FACTS
    )
    smooth = np.asarray(Image.fromarray(crop).resize((32, 64), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(extractor(crop), extractor(smooth))
    np.testing.assert_array_equal(extractor.extract(crop, [[0, 0, 200, 400]]).features, extractor(smooth))


def test_facts_are_said_in_full_or_not_at_all(baseline: Path) -> None:
    for name in FACTS:
        rest = {key: value for key, value in FACTS.items() if key != name}
        with pytest.raises(ValueError, match=f"does not say what images it takes: give {name}, for example"):
            FeatureExtractor(baseline, architecture="resnet18", **rest)


def test_the_other_channel_order_swaps_red_and_blue(baseline: Path) -> None:
    crop = np.random.default_rng(0).integers(0, 256, (64, 32, 3)).astype(np.uint8)
    facts = {**FACTS, "mean": (0.5, 0.5, 0.5), "std": (0.2, 0.2, 0.2)}
    settings = {"architecture": "resnet18", "color_order": "rgb", "precision": "float32"}
    swapped = FeatureExtractor(baseline, **settings, **{**facts, "channel_order": "bgr"})
    straight = FeatureExtractor(baseline, **settings, **facts)
    np.testing.assert_array_equal(swapped(crop), straight(np.ascontiguousarray(crop[..., ::-1])))


def test_our_own_checkpoints_know(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path / "model.ckpt")
    for facts in (FACTS, {"kernel": "area"}, {"channel_order": "bgr"}):
        with pytest.raises(ValueError, match="describes its input images itself: leave these arguments out"):
            FeatureExtractor(path, **facts)
