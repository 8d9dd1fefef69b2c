"""Backbones: ResNets of torchvision, also with IBN-a, OSNets of torchreid, networks of timm by name.

torchvision, torchreid and timm are imported when one of their networks is requested, not before: they take
seconds, and many commands need no network.
"""

from __future__ import annotations

import difflib
import importlib
import logging
import warnings
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from reid_gl.models.convolution import use_small_map_convolutions
from reid_gl.models.evaluation_mode import evaluation_mode
from reid_gl.models.ibn import NUM_BLOCKS as IBN_RESNETS
from reid_gl.models.ibn import make_ibn_resnet
from reid_gl.models.timm_backbones import PREFIX, is_timm, make_timm_backbone

if TYPE_CHECKING:
    from torchvision.models import ResNet

logger = logging.getLogger(__name__)

RESNETS = (
    "resnet18",
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
)
"""The networks of torchvision that end in a residual stage."""
OSNETS = (
    "osnet_x1_0",
    "osnet_x0_75",
    "osnet_x0_5",
    "osnet_x0_25",
    "osnet_ibn_x1_0",
    "osnet_ain_x1_0",
    "osnet_ain_x0_75",
    "osnet_ain_x0_5",
    "osnet_ain_x0_25",
)
TORCHREID_LAYOUTS = ("torchreid.reid.models", "torchreid.models")
"""The registry's package has the first layout, an installation from the author's repository the second."""


def backbone_names() -> tuple[str, ...]:
    """Every name that make_backbone knows, except those of timm."""
    return (*RESNETS, *IBN_RESNETS, *OSNETS)


def is_known_backbone(name: str) -> bool:
    """Return whether make_backbone may know the name; only timm can tell which of its names exist."""
    return is_timm(name) or name in backbone_names()


def make_backbone(name: str, *, last_stride: int = 1) -> tuple[nn.Module, int]:
    """Build a network from images (N, 3, H, W) to a feature map (N, D, H', W'), with random weights.

    Args:
        name: one of backbone_names(), or "timm:" followed by a name of timm.
        last_stride: stride of the last residual stage, 1 or 2; torchvision's default is 2. OSNet always
            ends at 1/16 of the image size, which corresponds to last_stride 1 elsewhere.

    Returns:
        The network and D.

    Raises:
        ValueError: the name is unknown, the network gives no feature map, or it does not support the stride.
        ImportError: torchreid is not installed for an OSNet, or timm for one of its networks.
    """
    if last_stride not in (1, 2):
        raise ValueError(f"last stride must be 1 or 2, got {last_stride}")
    if is_timm(name):
        return make_timm_backbone(name, last_stride=last_stride)
    if name in OSNETS:
        if last_stride == 2:
            raise ValueError(f"{name} does not support last stride 2: set MODEL.LAST_STRIDE 1")
        return _OsnetMap.make(name)
    if name not in backbone_names():
        near = difflib.get_close_matches(name, backbone_names(), n=1)
        hint = f"; the nearest one is {near[0]!r}" if near else ""
        known = f"{', '.join(backbone_names())}, and {PREFIX}<name of a timm network>"
        raise ValueError(f"unknown backbone {name!r}{hint}: expected one of {known}")
    resnet = make_ibn_resnet(name) if name in IBN_RESNETS else _make_resnet(name)
    if last_stride == 1:
        _remove_last_stride(resnet)
    use_small_map_convolutions(resnet)
    return _ResNetMap(resnet), resnet.fc.in_features


def _make_resnet(name: str) -> ResNet:
    from torchvision.models import get_model

    return get_model(name, weights=None)


class _ResNetMap(nn.Module):
    """The layers of a torchvision ResNet up to the last feature map; torchvision's names are kept."""

    def __init__(self, resnet: ResNet) -> None:
        super().__init__()
        for name, layer in resnet.named_children():
            if name not in ("avgpool", "fc"):
                self.add_module(name, layer)

    def forward(self, images: Tensor) -> Tensor:
        maps = images
        for layer in self.children():
            maps = layer(maps)
        return maps


def feature_map_width(backbone: nn.Module) -> int:
    """Return D of the feature map (N, D, H, W) that a custom network returns for one image of 256 x 128.

    The image has the network's device and number format; modes are restored, even after an error.

    Raises:
        ValueError: the network returns something else.
    """
    tensors = [*backbone.parameters(), *backbone.buffers()]
    like = next((tensor for tensor in tensors if tensor.is_floating_point()), torch.empty(0))
    with evaluation_mode(backbone), torch.no_grad():
        maps = backbone(torch.zeros(1, 3, 256, 128, device=like.device, dtype=like.dtype))
    if not isinstance(maps, Tensor) or maps.ndim != 4:
        found = tuple(maps.shape) if isinstance(maps, Tensor) else type(maps).__name__
        raise ValueError(f"the backbone must return a feature map (N, D, H, W), got {found} for one image")
    return maps.shape[1]


def ends_in_residual_sum(backbone: nn.Module) -> bool:
    """Whether the network's last ReLU follows the sum of a residual block, as in torchvision's ResNets."""
    return isinstance(backbone, _ResNetMap)


def residual_sum(backbone: nn.Module, images: Tensor) -> Tensor:
    """The last feature map before the last ReLU.

    One module serves as every ReLU of a block, so its last input is the sum. During the forward pass that
    module must not work in place; afterwards its setting is restored.

    Args:
        backbone: a network for which ends_in_residual_sum is true. It runs uncompiled, because the hook
            records nothing in a compiled one.
        images: (N, 3, H, W).

    Returns:
        (N, D, H', W'); its ReLU is the output of the network.

    Raises:
        ValueError: the network does not end in a residual sum.
    """
    if not isinstance(backbone, _ResNetMap):
        raise ValueError("the network does not end in a residual sum: expected one of torchvision's ResNets")
    block: Any = _last_block(backbone, -1)
    relu = block.relu
    given: list[Tensor] = []

    def record(_: nn.Module, inputs: tuple[Tensor]) -> None:
        given[:] = inputs

    was_inplace, relu.inplace = relu.inplace, False
    handle = relu.register_forward_pre_hook(record)
    try:
        backbone.forward(images)
    finally:
        handle.remove()
        relu.inplace = was_inplace
    return given[0]


def _last_block(resnet: nn.Module, place: int) -> nn.Module:
    """A block of the last residual stage that has blocks; place 0 is its first one, -1 its last one."""
    stages = (stage for name, stage in resnet.named_children() if name.startswith("layer"))
    last = [stage for stage in stages if isinstance(stage, nn.Sequential) and len(stage)][-1]
    return last[place]


def _remove_last_stride(resnet: ResNet) -> None:
    first_block: Any = _last_block(resnet, 0)
    strided = first_block.conv2 if hasattr(first_block, "conv3") else first_block.conv1
    for convolution in (strided, first_block.downsample[0]):
        convolution.stride = (1, 1)


class _OsnetMap(nn.Module):
    """The convolutions of a torchreid OSNet; torchreid's names are kept."""

    def __init__(self, osnet: nn.Module) -> None:
        super().__init__()
        for name, layer in osnet.named_children():
            if name not in ("global_avgpool", "fc", "classifier"):
                self.add_module(name, layer)

    @classmethod
    def make(cls, name: str) -> tuple[nn.Module, int]:
        osnet = import_torchreid_models().build_model(name, num_classes=1, pretrained=False)
        return cls(osnet), osnet.conv5.conv.out_channels

    def forward(self, images: Tensor) -> Tensor:
        maps = images
        for layer in self.children():
            maps = layer(maps)
        return maps


def import_torchreid_models() -> ModuleType:
    """Import the models module of the installed torchreid, in either layout; log which one was found.

    Raises:
        ImportError: neither layout can be imported.
    """
    errors = []
    for layout in TORCHREID_LAYOUTS:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # from unused parts: evaluation, TensorBoard
                module = importlib.import_module(layout)
        except ImportError as error:
            errors.append(f"{layout}: {error}")
            continue
        logger.info("torchreid networks come from %s", layout)
        return module
    raise ImportError(
        f"OSNet needs torchreid, which cannot be imported ({'; '.join(errors)}): "
        "pip install torchreid, or choose a torchvision backbone"
    )
