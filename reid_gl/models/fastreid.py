"""Backbones of fast-reid: ResNets whose stem, non-local blocks or split attention are its own.

Source: fast-reid's configurations; Wang et al., "Non-local Neural Networks", CVPR 2018, equation 6 with the
dot product; Zhang et al., "ResNeSt: Split-Attention Networks", 2020.
"""

from __future__ import annotations

import re
from typing import Any

from torch import Tensor, nn

from reid_gl.models.backbones import make_backbone
from reid_gl.models.state_names import Tensors
from reid_gl.models.timm_backbones import make_timm_backbone

PREFIX = "fastreid_"
RECIPES = ("bot", "agw", "sbs")
"""Its published settings: bag of tricks, AGW, and SBS, its stronger baseline."""
RESNEST = "resnest50"
RESNESTS = {RESNEST: "timm:resnest50d"}
"""ResNeSts by fast-reid's name, and timm's network with the same tensors."""
NON_LOCAL = re.compile(r"backbone\.NL_(\d)\.(\d+)\.g\.weight")
EXPONENT = re.compile(r"heads\.pool_layer(\.\d+)?\.p")
AGW_EXPONENT = 3.0
"""Of AGW's generalised-mean pooling, which is fixed and so not in its files."""


class NonLocalBlock(nn.Module):
    """Add to every place of a map a mean over all places, weighted by dot products.

    The submodules have fast-reid's names, so that its weights load.
    """

    def __init__(self, num_channels: int, num_inner: int) -> None:
        super().__init__()
        self.g = nn.Conv2d(num_channels, num_inner, 1)
        self.W = nn.Sequential(nn.Conv2d(num_inner, num_channels, 1), nn.BatchNorm2d(num_channels))
        self.theta = nn.Conv2d(num_channels, num_inner, 1)
        self.phi = nn.Conv2d(num_channels, num_inner, 1)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        values, queries, keys = (layer(maps).flatten(2) for layer in (self.g, self.theta, self.phi))
        weights = queries.transpose(1, 2) @ keys / keys.shape[2]  # (N, places, places)
        mixed = values @ weights.transpose(1, 2)  # (N, inner, places)
        added: Tensor = self.W(mixed.unflatten(2, maps.shape[2:]))
        return maps + added


class NonLocalResNet(nn.Module):
    """A ResNet with non-local blocks after the last blocks of its stages.

    Args:
        resnet: a backbone with torchvision's layers.
        sizes: per stage, from 1, the channels and inner channels of each of its non-local blocks.
    """

    def __init__(self, resnet: nn.Module, sizes: dict[int, list[tuple[int, int]]]) -> None:
        super().__init__()
        for name, layer in resnet.named_children():
            self.add_module(name, layer)
        for stage, blocks in sizes.items():
            self.add_module(f"NL_{stage}", nn.ModuleList(NonLocalBlock(*size) for size in blocks))
        self._stages = [(f"layer{stage}", f"NL_{stage}" if stage in sizes else "") for stage in (1, 2, 3, 4)]

    def forward(self, images: Tensor) -> Tensor:
        """Map images (N, 3, H, W) to the last map (N, D, H', W')."""
        net: Any = self
        maps: Tensor = net.maxpool(net.relu(net.bn1(net.conv1(images))))
        for layer, name in self._stages:
            stage, attention = getattr(self, layer), getattr(self, name) if name else ()
            first = len(stage) - len(attention)
            for place, block in enumerate(stage):
                maps = block(maps)
                if place >= first:
                    maps = attention[place - first](maps)
        return maps


def make_fastreid_backbone(backbone: str, tensors: Tensors, *, has_padded_stem: bool) -> nn.Module:
    """Build the backbone that a file of fast-reid was trained with, last stride 1, with random weights.

    Args:
        backbone: a ResNet of make_backbone, or one of RESNESTS.
        tensors: the file's tensors; they say where non-local blocks are.
        has_padded_stem: whether the stem's pooling has padding, as before release 1.0.

    Raises:
        ValueError: non-local blocks of another kind.
        ImportError: timm is not installed for a ResNeSt.
    """
    if backbone in RESNESTS:
        return _make_resnest(backbone)
    resnet: Any = make_backbone(backbone)[0]
    if not has_padded_stem:
        resnet.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)
    sizes: dict[int, list[tuple[int, int]]] = {}
    for name, value in tensors.items():
        if found := NON_LOCAL.fullmatch(name):
            if value.ndim != 4:
                raise ValueError(f"{name} of a non-local block has {value.ndim} axes, expected 4")
            inner, channels = value.shape[:2]
            sizes.setdefault(int(found[1]), []).append((channels, inner))
    return NonLocalResNet(resnet, sizes) if sizes else resnet


def _make_resnest(backbone: str) -> nn.Module:
    """Build timm's ResNeSt; where its last stage has no stride, fast-reid pools in other places."""
    resnest: Any = make_timm_backbone(RESNESTS[backbone], last_stride=1)[0]
    first = resnest.layer4[0]
    first.avd_last = nn.AvgPool2d(3, stride=1, padding=1)
    first.downsample[0] = nn.Identity()
    network: nn.Module = resnest
    return network
