from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.foreign import Foreign, GivenPreprocessing
from reid_gl.inference.extractor.open_weights import open_weights, stored_preprocessing
from reid_gl.models.backbones import make_backbone
from tests.models.made_up_tensors import make_up
from tests.tiny_checkpoint import COLOURS, write_checkpoint


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"config": torch.ones(3)}, "the configuration in the checkpoint is not YAML with sections"),
        ({"config": "[" * 3000}, "the configuration in the checkpoint is not YAML with sections"),
        ({"inference": [3]}, r"test-time strategies cannot be read from \[3\]"),
        (
            {"preprocessing": {**COLOURS.to_dict(), "height": 10**6}},
            "at most 4096 each way, got 1000000",
        ),
        ({"preprocessing": {"height": 64}}, "preprocessing"),
    ],
)
def test_damaged_parts_are_said_with_the_name_of_the_file(
    tmp_path: Path, parts: dict[str, Any], message: str
) -> None:
    path = write_checkpoint(tmp_path / "model.ckpt", **parts)
    with pytest.raises(ValueError, match=rf"{path} cannot be used: .*{message}"):
        open_weights(path)


def _write_fastreid(path: Path, backbone: str, **extra: torch.Tensor) -> Path:
    with torch.device("meta"):
        shapes = make_backbone(backbone)[0].state_dict()
    parts = ("weight", "bias", "running_mean", "running_var")
    neck = {f"heads.bottleneck.0.{part}": torch.ones(2048) for part in parts}
    tensors = {f"backbone.{name}": value for name, value in make_up(shapes).items()} | neck
    torch.save({"model": {**tensors, **extra}}, path)
    return path


def test_a_public_network_needs_no_options(tmp_path: Path) -> None:
    path = _write_fastreid(tmp_path / "market_bot_R50.pth", "resnet50")
    opened = open_weights(path)
    assert opened.checkpoint["net"] == {"backbone": "fastreid_bot_resnet50"}
    preprocessing = stored_preprocessing(opened.checkpoint)
    assert (preprocessing.height, preprocessing.width) == (256, 128)
    assert preprocessing.kernel == "antialiased_cubic"
    said = Foreign(images=GivenPreprocessing((64, 32), (0.0,) * 3, (1.0,) * 3, 1.0, "rgb"))
    assert stored_preprocessing(open_weights(path, said).checkpoint).height == 64


def test_the_json_beside_weights_of_others_says_what_they_take(tmp_path: Path) -> None:
    path = _write_fastreid(tmp_path / "net.pth", "resnet50")
    usual = stored_preprocessing(open_weights(path).checkpoint)
    described = replace(COLOURS, kernel="area").to_dict()

    def opened(beside: object, *given: Any, **said: Any) -> Preprocessing:
        path.with_name("net.pth.json").write_text(json.dumps({"preprocessing": beside}))
        foreign = Foreign(images=GivenPreprocessing(*given, **said))
        return stored_preprocessing(open_weights(path, foreign).checkpoint)

    facts = ((COLOURS.height, COLOURS.width), COLOURS.mean, COLOURS.std, 1.0, COLOURS.channel_order)
    assert opened(described) == opened(described, *facts) == replace(COLOURS, kernel="area")
    rest = {key: value for key, value in described.items() if key != "kernel"}
    assert opened(rest).kernel == usual.kernel == "antialiased_cubic"
    assert opened(rest, kernel="linear") == replace(COLOURS, kernel="linear")
    assert opened({"kernel": "area"}) == replace(usual, kernel="area")
    assert opened({"kernel": "area"}, kernel="area") == replace(usual, kernel="area")
    for beside, words, message in (
        ({"kernel": "area"}, {"kernel": "cubic"}, "says kernel 'area', the caller 'cubic': leave kernel out"),
        ({"kernel": "lanczos"}, {}, r"net\.pth\.json is invalid: unknown kernel 'lanczos'"),
        ({"height": 64}, {}, "is incomplete: add width, mean, std, channel_order"),
        ([1], {}, r"the preprocessing in .*net\.pth\.json is not an object"),
    ):
        with pytest.raises(ValueError, match=message):
            opened(beside, **words)
    with pytest.raises(ValueError, match=r"net\.pth\.json and the caller differ on the images"):
        opened(described, (32, 32), *facts[1:])


def test_unknown_and_unreadable_files_ask_for_the_architecture(tmp_path: Path) -> None:
    path = tmp_path / "net.pth"
    torch.save({"conv1.weight": torch.zeros(1)}, path)
    message = (
        "not a reid_gl checkpoint.*give the architecture, such as 'osnet_x1_0'; reid-gl weights list shows"
    )
    with pytest.raises(ValueError, match=message):
        open_weights(path)
    torch.save({"a": {1, 2}}, path)
    with pytest.raises(ValueError, match=r"not a reid_gl checkpoint.*give the architecture"):
        open_weights(path)
