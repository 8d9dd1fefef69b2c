"""A checkpoint as one module from images to unit-length features, for exports."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.foreign import NOTHING_SAID, Foreign
from reid_gl.inference.extractor.open_weights import (
    open_weights,
    read_stored_config,
    stored_preprocessing,
    stored_strategies,
)
from reid_gl.inference.strategies.apply import Strategies, apply_strategies, input_preprocessing
from reid_gl.models import ReidNet


@dataclass(frozen=True)
class LoadedEmbedder:
    """A network that returns the feature that its checkpoint's experiment compares.

    Attributes:
        net: maps images (N, 3, height, width), prepared as in `preprocessing`, to (N, D) of length one;
            on the CPU, in evaluation mode.
        preprocessing: preprocessing of the images.
        strategies: the feature and its test-time strategies.
        embedding_dim: D.
        checkpoint: the other content of the file.
    """

    net: nn.Module
    preprocessing: Preprocessing
    strategies: Strategies
    embedding_dim: int
    checkpoint: dict[str, Any]

    @property
    def feature(self) -> str:
        """Return the name of the feature that is compared."""
        return self.strategies.feature

    @property
    def backbone(self) -> str:
        """Return the name of the backbone."""
        return str(self.checkpoint["net"]["backbone"])

    @property
    def trained_on(self) -> str:
        """Return the data set that the network was trained on; "" if the weights do not say."""
        if "config" not in self.checkpoint:
            return ""
        return str(read_stored_config(self.checkpoint)["DATA"]["NAMES"])


def load_embedder(
    weights: Path,
    foreign: Foreign = NOTHING_SAID,
    *,
    flip: bool = False,
    square_size: int | None = None,
    half: bool = False,
) -> LoadedEmbedder:
    """Load a reid_gl checkpoint, or weights of another project.

    Args:
        weights: the file.
        foreign: the caller's description of weights of another project.
        flip: average with the mirror image, even if the checkpoint's experiment does not.
        square_size: take square RGB images in [0, 1] of this size; resize and normalisation move into the
            network. None takes images as the checkpoint does.
        half: store the backbone's weights and maps in float16; pooling and neck stay in float32.

    Raises:
        FileNotFoundError, ValueError: as open_weights.
    """
    loaded = open_weights(weights, foreign)
    stored = stored_strategies(loaded.checkpoint)
    strategies = replace(stored, settings=replace(stored.settings, flip=stored.settings.flip or flip))
    preprocessing = stored_preprocessing(loaded.checkpoint)
    if square_size is not None and preprocessing.shorter_side:
        raise ValueError(
            f"{weights} takes the centre of an image, but with square images the network sees the whole "
            "image: use the profile default"
        )
    if isinstance(
        loaded.net, ReidNet
    ):  # the classifier's scores are not used, so exported files need not contain it
        loaded.net.classifier = nn.Identity()  # type: ignore[assignment]
    if half:
        if strategies.settings.slope:
            raise ValueError(
                f"{weights} compares features under TEST.SLOPE, which acts on float32 maps: export "
                "it as float32, or as fp16 to OpenVINO"
            )
        if not isinstance(loaded.net, ReidNet):
            raise ValueError(
                f"{weights} cannot be converted to float16 here: export it as float32, or as fp16 to OpenVINO"
            )
        loaded.net.backbone = _HalfBackbone(loaded.net.backbone)
    net: nn.Module = _UnitLength(apply_strategies(loaded.net, strategies, preprocessing))
    preprocessing = input_preprocessing(preprocessing, strategies.settings)
    if square_size is not None:
        net = _SquareInput(net, preprocessing)
        preprocessing = Preprocessing(square_size, square_size, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    net.requires_grad_(False).eval()
    embedding_dim = net(torch.zeros(1, 3, preprocessing.height, preprocessing.width)).shape[1]
    return LoadedEmbedder(net, preprocessing, strategies, embedding_dim, loaded.checkpoint)


class _UnitLength(nn.Module):
    """Compute features of length one."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        features: Tensor = self.net(images)
        lengths: Tensor = features.norm(dim=1, keepdim=True)
        return features / lengths.clamp_min(1e-12)


class _HalfBackbone(nn.Module):
    def __init__(self, backbone: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone.half()

    def forward(self, images: Tensor) -> Tensor:
        maps: Tensor = self.backbone(images.half())
        return maps.float()


class _SquareInput(nn.Module):
    """A network with resize and normalisation in front of it."""

    mean: Tensor
    std: Tensor

    def __init__(self, net: nn.Module, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.net, self.size = net, (preprocessing.height, preprocessing.width)
        self.is_bgr = preprocessing.channel_order == "bgr"
        self.register_buffer("mean", torch.tensor(preprocessing.mean)[:, None, None])
        self.register_buffer("std", torch.tensor(preprocessing.std)[:, None, None])

    def forward(self, images: Tensor) -> Tensor:
        resized = F.interpolate(images, self.size, mode="bilinear", align_corners=False)
        normalized = (resized - self.mean) / self.std
        features: Tensor = self.net(normalized.flip(1) if self.is_bgr else normalized)
        return features
