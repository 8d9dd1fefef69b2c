"""What computes features: a network in torch here, exported networks in their own files."""

from __future__ import annotations

import copy
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_gl.data.loading.images import Image8
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.device import choose_device, choose_precision
from reid_gl.inference.strategies.apply import Strategies, apply_strategies, input_preprocessing
from reid_gl.inference.strategies.settings import PLAIN, InferenceSettings
from reid_gl.models import ReidNet
from reid_gl.models.fusion import fuse_convolutions

Floats = NDArray[np.float32]


class Runtime(Protocol):
    """From pictures to features; may be called by several threads at once.

    Attributes:
        preprocessing: resize, which the caller does, and normalisation, which the runtime does.
        embedding_dim: D.
        device: where it computes.
    """

    preprocessing: Preprocessing
    embedding_dim: int
    device: str

    def __call__(self, images: Image8) -> Floats:
        """Pictures (N, height, width, 3) uint8 RGB, N at least 1, to features (N, D), not normalised."""


class TorchRuntime:
    """A network in torch.

    Args:
        net: from normalised images (N, 3, H, W) to a tensor (N, D) or a ReidOutput. A copy is used, whose
            batch normalisations are folded into its convolutions.
        preprocessing: resize and normalisation the network was trained with.
        feature: "before_neck", "after_neck" or "concatenated", where the network gives both.
        device: see reid_gl.device.
        precision: number format of the layers, see reid_gl.device.
        inference: pooling, views and normalisation at test time.
    """

    def __init__(
        self,
        net: nn.Module,
        preprocessing: Preprocessing,
        *,
        feature: str = "after_neck",
        device: str = "auto",
        precision: str = "auto",
        inference: InferenceSettings = PLAIN,
    ) -> None:
        self._device = choose_device(device)
        self._dtype = choose_precision(precision, self._device)
        net = copy.deepcopy(net).eval()
        fuse_convolutions(net.backbone if isinstance(net, ReidNet) else net)
        net = net.to(self._device).to(memory_format=torch.channels_last)
        for module in net.modules():
            if isinstance(module, nn.Conv2d):
                module.to(self._dtype)  # once, where autocast would do it at every call
        self._net = apply_strategies(net, Strategies(feature, inference), preprocessing)
        preprocessing = input_preprocessing(preprocessing, inference)
        self.preprocessing, self.device = preprocessing, str(self._device)
        self.embedding_dim = self(
            np.zeros((1, preprocessing.height, preprocessing.width, 3), np.uint8)
        ).shape[1]

    def __call__(self, images: Image8) -> Floats:
        """Pictures (N, height, width, 3) uint8 RGB to features (N, D)."""
        pixels = torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2)  # channels last as they stand
        return self.run(self.preprocessing.normalize(pixels)).cpu().numpy()

    @torch.inference_mode()
    def run(self, normalized: Tensor) -> Tensor:
        """Normalised images (N, 3, H, W) to features (N, D) float32 on the device."""
        is_short = self._dtype != torch.float32
        with torch.autocast(self._device.type, dtype=self._dtype, enabled=is_short):
            features: Tensor = self._net(normalized.contiguous(memory_format=torch.channels_last))
        return features.float()
