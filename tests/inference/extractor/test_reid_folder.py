"""Folders of Roboflow's `reid`, written by hand as its documentation describes them; it is not installed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from reid_gl.cli.main import main
from reid_gl.data.loading.images import Image8
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.reid_folder import read_reid_config
from tests.inference.extractor.reid_folders import SAID, reid_folder
from tests.tiny_checkpoint import coloured_crops

RESAMPLING = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


def _by_hand(net: nn.Module, bgr_crops: list[Image8], said: dict[str, Any]) -> np.ndarray:
    """What `reid` documents: colours, PIL's resize to (height, width), [0, 1], mean and deviation."""
    rows = []
    for crop in bgr_crops:
        image = Image.fromarray(np.ascontiguousarray(crop[..., ::-1] if said["to_rgb"] else crop))
        resized = image.resize(said["input_size"][::-1], RESAMPLING[said["interpolation"]])
        pixels = (np.asarray(resized) / 255 - said["mean"]) / said["std"]
        with torch.no_grad():
            rows.append(net(torch.from_numpy(pixels).float().permute(2, 0, 1)[None])[0])
    return torch.nn.functional.normalize(torch.stack(rows)).numpy()


@pytest.mark.parametrize(
    "said", [{}, {"to_rgb": False}, {"interpolation": "bilinear", "input_size": [64, 48]}]
)
@pytest.mark.parametrize("architecture", ["osnet_x0_25", "timm:resnet18"])
@pytest.mark.parametrize("given", ["folder", "file"])
def test_what_the_folder_says_is_done(
    given: str, architecture: str, said: dict[str, Any], tmp_path: Path
) -> None:
    net = reid_folder(tmp_path / "net", architecture, **said)
    path = tmp_path / "net" if given == "folder" else tmp_path / "net" / "weights.safetensors"
    extractor = FeatureExtractor(path, color_order="bgr", precision="float32")
    crops = coloured_crops(5)
    expected = _by_hand(net, crops, {**SAID, **said})
    assert (extractor(crops) * expected).sum(axis=1) == pytest.approx(1, abs=1e-5)
    wrong = _by_hand(net, crops, {**SAID, **said, "to_rgb": not {**SAID, **said}["to_rgb"]})
    assert (extractor(crops) * wrong).sum(axis=1).min() < 0.9999


def test_what_the_folder_leaves_out_is_as_reid_has_it(tmp_path: Path) -> None:
    path = tmp_path / "reid_config.json"
    path.write_text(json.dumps({"architecture": "osnet_x1_0"}))
    assert read_reid_config(path).preprocessing == Preprocessing(kernel="antialiased_linear")


def test_a_file_of_another_name_does_not_know_what_it_takes(tmp_path: Path) -> None:
    reid_folder(tmp_path / "net", "osnet_x0_25")
    other = (tmp_path / "net" / "weights.safetensors").rename(tmp_path / "net" / "other.safetensors")
    assert FeatureExtractor(other).input_size == (256, 128)  # as torchreid's, whose tensors it has
    assert FeatureExtractor(other, architecture="osnet_x0_25").input_size == (256, 128)


def test_what_the_folder_says_is_not_to_be_said_again(tmp_path: Path) -> None:
    reid_folder(tmp_path / "net", "osnet_x0_25")
    for words in ({"architecture": "osnet_x1_0"}, {"input_size": (256, 128)}):
        with pytest.raises(
            ValueError, match=r"reid_config\.json says that .* is osnet_x0_25 and what images"
        ):
            FeatureExtractor(tmp_path / "net", **words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("[]", r"reid_config\.json is no reid_config\.json \(a value in it is of another"),
        (
            "{",
            r"is no reid_config\.json \(wrong in line 1, column 2\): expected a JSON object with arch",
        ),
        ("{}", "it lacks 'architecture'"),
        ('{"architecture": 3}', "asks for the network '3', which is not supported"),
        (
            '{"architecture": "fastreid_sbs_resnest50"}',
            "'fastreid_sbs_resnest50', which is not supported: expected",
        ),
        (
            '{"architecture": "osnet_x1_0", "preprocessing": {"input_size": 5}}',
            "a value in it is of another kind",
        ),
        (
            '{"architecture": "osnet_x1_0", "preprocessing": {"std": [1, 2]}}',
            "mean and std need three numbers",
        ),
        (
            '{"architecture": "osnet_x1_0", "preprocessing": {"resize_mode": "letterbox"}}',
            "resizes by letterbox, bilinear: only stretch, with bilinear or bicubic",
        ),
        (
            '{"architecture": "osnet_x1_0", "preprocessing": {"interpolation": "nearest"}}',
            "stretch, nearest: only",
        ),
        (" " * 1_000_001, "more than 1,000,000 bytes"),
    ],
)
def test_configurations_that_cannot_be_used(config: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "reid_config.json").write_text(config)
    with pytest.raises(ValueError, match=message):
        read_reid_config(tmp_path / "reid_config.json")


def test_damaged_weights_and_those_of_another_network(tmp_path: Path) -> None:
    reid_folder(tmp_path / "net", "osnet_x0_25")
    path = tmp_path / "net" / "weights.safetensors"
    config = tmp_path / "net" / "reid_config.json"
    config.write_text(config.read_text().replace("osnet_x0_25", "timm:resnet18"))
    with pytest.raises(ValueError, match=r"names of timm: 0 of \d+ tensors .* made for another architecture"):
        FeatureExtractor(tmp_path / "net")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(ValueError, match=r"weights\.safetensors is damaged or no \.safetensors file"):
        FeatureExtractor(tmp_path / "net")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"weights .*weights\.safetensors do not exist"):
        FeatureExtractor(tmp_path / "net")


def test_the_command_takes_a_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reid_folder(tmp_path / "net", "timm:resnet18")
    (tmp_path / "people").mkdir()
    Image.fromarray(coloured_crops(1)[0]).save(tmp_path / "people" / "a.png")
    words = ["extract", str(tmp_path / "people"), str(tmp_path / "a.npz"), "--weights", str(tmp_path / "net")]
    assert main(words) == 0
    assert json.loads(capsys.readouterr().out)["embedding_dim"] == 512


@pytest.mark.parametrize(
    "content",
    [
        "[" * 100_000,
        "1" * 10_000,
        '{"architecture": "osnet_x0_25", "preprocessing": {"input_size": [1e400, 64]}}',
        '{"architecture": "osnet_x0_25", "preprocessing": {"input_size": [1000000, 1000000]}}',
        '{"architecture": "osnet_x0_25", "preprocessing": {"mean": "abc"}}',
        '{"architecture": "timm:hf-hub:somebody/something"}',
    ],
)
def test_configurations_that_nobody_wrote(tmp_path: Path, content: str) -> None:
    path = tmp_path / "reid_config.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=rf"^{path} (is no reid_config\.json|asks for the network)[^\n]*$"):
        read_reid_config(path)
