"""A checkpoint of a small network that never learned anything, but whose features differ between images."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from torch import nn

from reid_gl.data.loading.images import Image8
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.embedder import LoadedEmbedder
from reid_gl.inference.strategies.apply import Strategies
from reid_gl.models import NetSettings, ReidNet
from reid_gl.training.checkpoint import save_checkpoint

SIZE = (64, 32)
COLOURS = Preprocessing(*SIZE, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))


@functools.cache
def _make_net() -> ReidNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ReidNet(NetSettings("resnet18", 7)).train()
        for layer in net.modules():
            if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
                layer.momentum = 1.0
        crops = torch.from_numpy(np.stack(coloured_crops(24, seed=1, size=SIZE))).permute(0, 3, 1, 2)
        with torch.no_grad():
            net(COLOURS.normalize(crops))
    return net


def write_checkpoint(path: Path, *, feature: str = "after_neck", **other: Any) -> Path:
    """Write a ResNet-18 for 64 x 32 images, with the statistics of coloured crops in its normalisations."""
    net = _make_net()  # always the same one
    header = {
        "format": "reid_gl/1",
        "net": net.settings.to_dict(),
        "preprocessing": COLOURS.to_dict(),
        "pids": list(range(7)),
        "config": yaml.safe_dump({"DATA": {"NAMES": "market1501"}, "TEST": {"FEATURE": feature}}),
        "model": net.state_dict(),
        "epoch": 1,
        "metrics": {},
    }
    save_checkpoint({**header, **other}, path)
    return path


def coloured_crops(count: int, *, seed: int = 0, size: tuple[int, int] = (80, 36)) -> list[Image8]:
    """Blocks of colour under noise."""
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 226, (count, 4, 1, 3)).repeat(size[0] // 4, axis=1).repeat(size[1], axis=2)
    noise = rng.integers(0, 30, (count, *size, 3))
    return list((blocks + noise).astype(np.uint8))


def made_up_embedder(
    preprocessing: Preprocessing | None = None, *, backbone: str = "resnet50", **other: Any
) -> LoadedEmbedder:
    """What is known of a checkpoint, without the network."""
    checkpoint = {
        "net": {"backbone": backbone},
        "config": "{DATA: {NAMES: market1501}, TEST: {FEATURE: after_neck}}",
        **other,
    }
    return LoadedEmbedder(nn.Identity(), preprocessing or Preprocessing(), Strategies(), 2048, checkpoint)
