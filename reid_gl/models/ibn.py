"""IBN-a: ResNets that normalise half of each block's first map per image, the other half per batch.

Instance normalisation removes what one image's colours and contrast add to a map; the half under batch
normalisation keeps what they say. Networks with it lose less on people filmed by cameras they never saw.

Source: Pan et al., "Two at Once: Enhancing Learning and Generalization Capacities via IBN-Net", ECCV 2018,
section 3.3, IBN-Net-a.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from torchvision.models import ResNet

RELEASE = "https://github.com/XingangPan/IBN-Net/releases/download/v1.0"
NUM_BLOCKS = {
    "resnet18_ibn_a": (2, 2, 2, 2),
    "resnet18_ibn_a_c4": (2, 2, 2, 0),
    "resnet34_ibn_a": (3, 4, 6, 3),
    "resnet50_ibn_a": (3, 4, 6, 3),
    "resnet101_ibn_a": (3, 4, 23, 3),
    "resnet152_ibn_a": (3, 8, 36, 3),
    "resnext50_ibn_a": (3, 4, 6, 3),
    "resnext101_ibn_a": (3, 4, 23, 3),
}
"""The networks, by the names of the authors, and the blocks of their four stages.

resnet18_ibn_a_c4 is ours: resnet18_ibn_a without its last stage, a quarter of the parameters.
"""
BASIC = ("resnet18_ibn_a", "resnet18_ibn_a_c4", "resnet34_ibn_a")
"""Networks whose blocks have two convolutions; those of the others have three."""
IMAGENET_FILES = {
    "resnet18_ibn_a": "resnet18_ibn_a-2f571257.pth",
    "resnet18_ibn_a_c4": "resnet18_ibn_a-2f571257.pth",
    "resnet34_ibn_a": "resnet34_ibn_a-94bc1577.pth",
    "resnet50_ibn_a": "resnet50_ibn_a-d9d0bb7b.pth",
    "resnet101_ibn_a": "resnet101_ibn_a-59ea0ac6.pth",
    "resnext101_ibn_a": "resnext101_ibn_a-6ace051d.pth",
}
"""Files of the authors' release; a name ends in the first digits of the file's SHA-256."""
IBN_STAGES = ("layer1", "layer2", "layer3")


class IBN(nn.Module):
    """Instance normalisation of the first half of the channels, batch normalisation of the others.

    The submodules have the authors' names, IN and BN, so that their weights load.
    """

    def __init__(self, num_channels: int) -> None:
        super().__init__()
        self.num_per_image = num_channels // 2
        self.IN = nn.InstanceNorm2d(self.num_per_image, affine=True)
        self.BN = nn.BatchNorm2d(num_channels - self.num_per_image)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape; in training, H * W must be above 1."""
        per_image = self.IN(maps[:, : self.num_per_image])
        per_batch = self.BN(maps[:, self.num_per_image :])
        return torch.cat([per_image, per_batch], dim=1)


def make_ibn_resnet(name: str) -> ResNet:
    """Build one of the networks in NUM_BLOCKS, with random weights and torchvision's last stride of 2."""
    from torchvision.models.resnet import BasicBlock, Bottleneck, ResNet

    groups, width = (32, 4) if name.startswith("resnext") else (1, 64)
    block_type = BasicBlock if name in BASIC else Bottleneck
    resnet = ResNet(block_type, [max(1, n) for n in NUM_BLOCKS[name]], groups=groups, width_per_group=width)
    if not NUM_BLOCKS[name][-1]:
        resnet.layer4 = nn.Sequential()
        resnet.fc = nn.Linear(resnet.fc.in_features // 2, resnet.fc.out_features)
    for stage in IBN_STAGES:
        for block in getattr(resnet, stage):
            block.bn1 = IBN(block.bn1.num_features)
    return resnet


def ibn_imagenet_tensors(name: str) -> dict[str, Tensor]:
    """Download the authors' ImageNet weights once, to torch's cache, and compare their checksum.

    Args:
        name: one of IMAGENET_FILES.

    Raises:
        URLError, OSError, RuntimeError: there is no network, or the checksum differs.
    """
    url = f"{RELEASE}/{IMAGENET_FILES[name]}"
    tensors: dict[str, Tensor] = torch.hub.load_state_dict_from_url(
        url, map_location="cpu", check_hash=True, weights_only=True
    )
    return tensors
