"""Runtimes, which compute features: here the network in torch; exported networks have their own files."""

from __future__ import annotations

import copy
import logging
from functools import partial
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

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]
MOST_ERROR = 0.2
"""Tolerated relative error of a convolution: bfloat16 rounding stays below 0.01, broken kernels do not."""


class Runtime(Protocol):
    """A function from images to features; several threads may call it at once.

    Attributes:
        preprocessing: resize (done by the caller) and normalisation (done by the runtime).
        embedding_dim: D.
        device: device that it runs on.
    """

    preprocessing: Preprocessing
    embedding_dim: int
    device: str

    def __call__(self, images: Image8) -> Floats:
        """Map images (N, height, width, 3) uint8 RGB, N at least 1, to features (N, D), not normalised."""


class TorchRuntime:
    """A network in torch.

    Args:
        net: maps normalised images (N, 3, H, W) to a tensor (N, D) or a ReidOutput. The runtime uses a copy
            with batch normalisations folded into the convolutions.
        preprocessing: resize and normalisation the network was trained with.
        feature: "before_neck", "after_neck" or "concatenated", if the network returns both.
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
        dtype = choose_precision(precision, self._device)
        self._dtype = torch.float32
        net = copy.deepcopy(net).eval()
        fuse_convolutions(net.backbone if isinstance(net, ReidNet) else net)
        net = net.to(self._device).to(memory_format=torch.channels_last)
        self._net = apply_strategies(net, Strategies(feature, inference), preprocessing)
        preprocessing = input_preprocessing(preprocessing, inference)
        self.preprocessing, self.device = preprocessing, str(self._device)
        if dtype != torch.float32:
            self._shorten(dtype, is_asked_for=precision != "auto")
        self.embedding_dim = self(
            np.zeros((1, preprocessing.height, preprocessing.width, 3), np.uint8)
        ).shape[1]

    def _shorten(self, dtype: torch.dtype, *, is_asked_for: bool) -> None:
        """Compute in `dtype` from now on; on the CPU only if every convolution agrees with float32's.

        torch's bfloat16 kernels for CPUs give garbage for some small maps: in 2.14, a 3 x 3 convolution of
        stride 2 with an output that is one pixel wide. Whole features may look right by chance, so each
        convolution is checked on the input it gets when the network runs on noise.

        Raises:
            ValueError: one disagrees, and the caller asked for this precision.
        """
        if self._device.type == "cpu" and (broken := self._broken_convolutions(dtype)):
            problem = (
                f"{dtype} on this CPU gives other numbers than float32 in {', '.join(broken[:3])} at "
                f"{self.preprocessing.height} x {self.preprocessing.width}"
            )
            if is_asked_for:
                raise ValueError(f"{problem}: use precision float32")
            logger.warning("%s: computing in float32", problem)
            return
        for module in self._net.modules():
            if isinstance(module, nn.Conv2d):
                module.to(dtype)  # cast once here; autocast would do it at every call
        self._dtype = dtype

    def _broken_convolutions(self, dtype: torch.dtype) -> list[str]:
        """Return the names of convolutions whose outputs in `dtype` differ from float32 beyond rounding."""
        broken: list[str] = []

        def compare(name: str, layer: nn.Conv2d, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            with torch.autocast(self._device.type, dtype=dtype):
                short = nn.Conv2d.forward(layer, inputs[0]).float()
            error = float((short - output).norm() / output.norm().clamp_min(1e-12))
            if not error < MOST_ERROR:  # true for NaN too
                broken.append(name)

        hooks = [
            layer.register_forward_hook(partial(compare, name))
            for name, layer in self._net.named_modules()
            if isinstance(layer, nn.Conv2d)
        ]
        size = (2, 3, self.preprocessing.height, self.preprocessing.width)
        noise = torch.randint(0, 256, size, generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
        self.run(self.preprocessing.normalize(noise))
        for hook in hooks:
            hook.remove()
        return broken

    def __call__(self, images: Image8) -> Floats:
        """Map images (N, height, width, 3) uint8 RGB to features (N, D)."""
        pixels = (
            torch.from_numpy(images).to(self._device).permute(0, 3, 1, 2)
        )  # the images are already channels last
        return self.run(self.preprocessing.normalize(pixels)).cpu().numpy()

    @torch.inference_mode()
    def run(self, normalized: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) to features (N, D) float32 on the device."""
        is_short = self._dtype != torch.float32
        with torch.autocast(self._device.type, dtype=self._dtype, enabled=is_short):
            features: Tensor = self._net(normalized.contiguous(memory_format=torch.channels_last))
        return features.float()
