from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file

from reid_gl import FeatureExtractor
from reid_gl.inference.extractor.open_weights import open_weights
from reid_gl.inference.extractor.weights_folder import load_weights, save_weights
from reid_gl.models import load_net, read_checkpoint
from tests.tiny_checkpoint import coloured_crops, write_checkpoint

CONFIG = {
    "DATA": {"NAMES": "market1501", "ROOT": "/home/secret/data"},
    "MODEL": {"PRETRAINED": "/home/secret/weights.pth"},
    "OUTPUT_DIR": "/home/secret/runs",
    "LOSS": {"NAMES": "cross_entropy"},
    "SOLVER": {"NUM_EPOCHS": 3},
    "TEST": {"FEATURE": "before_neck"},
}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("run") / "model.ckpt"
    inference = {"feature": "before_neck", "flip": True}
    return write_checkpoint(path, config=yaml.safe_dump(CONFIG), inference=inference)


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    save_weights(read_checkpoint(checkpoint), tmp_path, metrics={"market1501": {"mAP": 0.5}})
    return tmp_path


def change(config: Path, **parts: Any) -> None:
    config.write_text(json.dumps({**json.loads(config.read_text()), **parts}))


def test_what_is_saved_is_loaded(folder: Path, checkpoint: Path) -> None:
    net, parts = load_weights(folder / "model.safetensors")
    expected = load_net(checkpoint)
    own, other = net.state_dict(), expected.net.state_dict()
    assert own.keys() == other.keys()
    assert all(torch.equal(own[name], other[name]) for name in own if name != "classifier.weight")
    assert parts["preprocessing"] == json.loads(json.dumps(expected.checkpoint["preprocessing"]))
    crops = coloured_crops(3)
    from_folder = FeatureExtractor(folder, color_order="rgb", device="cpu")
    from_file = FeatureExtractor(checkpoint, color_order="rgb", device="cpu")
    assert np.array_equal(from_folder(crops), from_file(crops))  # flipped, before the neck


def test_no_classifier_and_no_path_of_the_machine_is_published(folder: Path) -> None:
    assert "classifier.weight" not in load_file(folder / "model.safetensors")
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert set(files) == {"model.safetensors", "config.json", "metrics.json", "manifest.json"}
    assert not [name for name, content in files.items() if b"secret" in content]
    experiment = json.loads(files["config.json"])["experiment"]
    assert experiment == {
        "DATA": {"NAMES": "market1501"},
        "LOSS": {"NAMES": "cross_entropy"},
        "SOLVER": {"NUM_EPOCHS": 3},
    }


def test_loading_leaves_the_global_generator_as_it_was(folder: Path) -> None:
    before = torch.get_rng_state()
    load_weights(folder / "model.safetensors")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"format": "reid_gl-weights/9"},
            r"has the format 'reid_gl-weights/9', expected 'reid_gl-weights/1'",
        ),
        (
            {"preprocessing": None},
            "lacks 'preprocessing', without which the network cannot be used: write the",
        ),
        (
            {"net": {"backbone": "resnet18"}},
            "does not describe its network: the settings num_classes are unk",
        ),
        (
            {"net": {"backbone": "resnet9", "num_classes": 7}},
            "has the unknown backbone 'resnet9': it is of an",
        ),
        ({"net": {"backbone": "resnet34", "num_classes": 7}}, "does not fit the network in"),
        (
            {"net": {"backbone": "resnet18", "num_classes": 7, "embedding_dim": -1}},
            r"config\.json describes a network that cannot be built: the embedding dimension must not",
        ),
        ({"preprocessing": {"height": 64}}, r"model\.safetensors cannot be used: .*preprocessing"),
        ({"inference": {"feature": "after_neck", "x": 1}}, r"model\.safetensors cannot be used: test-time"),
    ],
)
def test_damaged_descriptions(folder: Path, parts: dict[str, Any], message: str) -> None:
    change(folder / "config.json", **parts)
    with pytest.raises(ValueError, match=message):
        open_weights(folder / "model.safetensors")


def test_tensors_of_another_network(folder: Path) -> None:
    save_file({"conv1.weight": torch.zeros(30)}, folder / "model.safetensors")
    with pytest.raises(ValueError, match="does not fit the network in"):
        open_weights(folder / "model.safetensors")


def test_the_folder_describes_itself(folder: Path) -> None:
    with pytest.raises(ValueError, match="is described by the file beside it: leave these arguments out"):
        FeatureExtractor(folder, architecture="resnet18")


def test_a_network_of_your_own_cannot_be_published(checkpoint: Path, tmp_path: Path) -> None:
    parts = read_checkpoint(checkpoint)
    parts["net"] = {**parts["net"], "backbone": "mine"}
    with pytest.raises(
        ValueError, match="the network 'mine' is your own, and its code is not in the checkpoint"
    ):
        save_weights(parts, tmp_path)
