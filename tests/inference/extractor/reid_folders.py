"""Folders of Roboflow's `reid`, written by hand as its documentation describes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors.torch import save_file
from torch import nn

from reid_gl.models.backbones import import_torchreid_models

SAID: dict[str, Any] = {
    "input_size": [96, 32],
    "mean": [0.1, 0.5, 0.6],
    "std": [0.2, 0.3, 0.4],
    "interpolation": "bicubic",
    "to_rgb": True,
    "resize_mode": "stretch",
    "pad_value": 114,
}


def reid_net(architecture: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if architecture.startswith("timm:"):
            net: nn.Module = timm.create_model(architecture.removeprefix("timm:"), num_classes=0)
        else:
            net = import_torchreid_models().build_model(
                architecture, num_classes=1, pretrained=False, use_gpu=False
            )
    return net.eval()


def reid_folder(folder: Path, architecture: str, **said: Any) -> nn.Module:
    """Write a folder; the network in it."""
    net = reid_net(architecture)
    folder.mkdir()
    save_file(
        {k: v for k, v in net.state_dict().items() if "classifier" not in k}, folder / "weights.safetensors"
    )
    config = {"architecture": architecture, "preprocessing": {**SAID, **said}}
    (folder / "reid_config.json").write_text(json.dumps(config))
    return net
