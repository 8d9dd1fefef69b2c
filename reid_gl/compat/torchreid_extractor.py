"""A replacement for torchreid's FeatureExtractor with the same arguments and the same features."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias, TypeVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from reid_gl.data.loading.images import Image8, read_image
from reid_gl.data.loading.transforms import Preprocessing, check_colors
from reid_gl.inference.extractor.crops import check_image_array
from reid_gl.inference.extractor.runtime import TorchRuntime
from reid_gl.models.foreign import load_foreign

logger = logging.getLogger(__name__)

BATCH_SIZE = 64
ImageSource: TypeAlias = "str | Path | Image8"
Part = TypeVar("Part", Tensor, "list[ImageSource]")


class TorchreidFeatureExtractor:
    """Computes the same features as torchreid's FeatureExtractor, also for inputs on which torchreid fails.

    It takes any number of images, including none, in batches of BATCH_SIZE. Grey images and images with
    transparency work. Missing weights, or weights of another network, raise an error instead of a warning.
    Without CUDA it runs on the CPU.

    Files are decoded by read_image, which differs from torchreid in two ways: images are rotated by their
    EXIF orientation (torchreid ignores it), and 16-bit grey is scaled to 8 bits (torchreid clips it to
    white).

    Args:
        model_name: one of torchreid's networks, such as "osnet_x1_0".
        model_path: its weights, as torchreid's training writes them.
        image_size: (height, width).
        pixel_mean: per channel RGB in [0, 1].
        pixel_std: as pixel_mean.
        pixel_norm: normalise with pixel_mean and pixel_std; otherwise pixels stay in [0, 1].
        device: "cuda", "cuda:1" or "cpu".
        verbose: log the number of parameters.

    Attributes:
        device: device of the network and of the features.

    Raises:
        FileNotFoundError, ValueError: the weights cannot be used; the message says why.
    """

    def __init__(
        self,
        model_name: str = "",
        model_path: str | Path = "",
        image_size: Sequence[int] = (256, 128),
        pixel_mean: Sequence[float] = (0.485, 0.456, 0.406),
        pixel_std: Sequence[float] = (0.229, 0.224, 0.225),
        pixel_norm: bool = True,
        device: str = "cuda",
        verbose: bool = True,
    ) -> None:
        if not model_path:
            raise ValueError(
                "model_path is empty: give a file of weights (torchreid would use ImageNet weights, which "
                "were not trained on people)"
            )
        if device.startswith("cuda") and not torch.cuda.is_available():
            logger.warning("device %s is not available here: features are computed on the CPU", device)
            device = "cpu"
        height, width = image_size
        colors = (tuple(pixel_mean), tuple(pixel_std)) if pixel_norm else ((0.0,) * 3, (1.0,) * 3)
        check_colors(*colors)
        preprocessing = Preprocessing(height, width, mean=colors[0], std=colors[1])  # type: ignore[arg-type]
        net = load_foreign(Path(model_path), model_name).net
        if verbose:
            num_parameters = sum(parameter.numel() for parameter in net.parameters())
            logger.info("%s has %s parameters", model_name, f"{num_parameters:,}")
        self._runtime = TorchRuntime(net, preprocessing, device=device, precision="float32")
        self.device = torch.device(self._runtime.device)

    def __call__(self, input: Tensor | ImageSource | Sequence[ImageSource]) -> Tensor:
        """Return features of images, in order, not normalised.

        Args:
            input: a path, an RGB array (H, W, 3) uint8, or a list of them; or a float tensor (3, H, W) or
                (N, 3, H, W), which must be resized and normalised already.

        Returns:
            (N, D) float32 on the device.

        Raises:
            FileNotFoundError, TypeError, ValueError: an input is not an image; the message says which one.
        """
        if isinstance(input, Tensor):
            images = input.unsqueeze(0) if input.ndim == 3 else input
            if images.ndim != 4 or not images.is_floating_point():
                raise TypeError(
                    "a tensor must hold normalised floats (3, H, W) or (N, 3, H, W), got "
                    f"{input.dtype} {tuple(input.shape)}"
                )
            return self._embed(images, lambda part, _: part.to(self.device))
        sources = [input] if isinstance(input, str | Path | np.ndarray) else list(input)
        return self._embed(sources, self._prepare)

    def _embed(self, inputs: Part, prepare: Callable[[Part, int], Tensor]) -> Tensor:
        """Compute the features of all inputs in batches."""
        parts = [
            self._runtime.run(prepare(inputs[start : start + BATCH_SIZE], start))
            for start in range(0, len(inputs), BATCH_SIZE)
        ]
        # concatenated outside of inference mode, so that the caller may modify the result in place
        return torch.cat(parts) if parts else torch.empty(0, self._runtime.embedding_dim, device=self.device)

    def _prepare(self, sources: list[ImageSource], start: int) -> Tensor:
        """Resize and normalise images to (N, 3, height, width); start is the index of the first one."""
        size = (self._runtime.preprocessing.width, self._runtime.preprocessing.height)
        images = [
            # PIL antialiases when it shrinks; torchreid resizes with PIL, so its features include this
            np.asarray(_as_rgb(source, place).resize(size, Image.Resampling.BILINEAR))
            for place, source in enumerate(sources, start)
        ]
        pixels = torch.from_numpy(np.stack(images)).to(self.device).permute(0, 3, 1, 2)
        return self._runtime.preprocessing.normalize(pixels)


def _as_rgb(source: ImageSource, place: int) -> Image.Image:
    if isinstance(source, str | Path):
        return Image.fromarray(read_image(source))
    if not isinstance(source, np.ndarray):
        raise TypeError(f"image {place} is a {type(source).__name__}: expected a path or an array of uint8")
    check_image_array(source, f"image {place}")
    return Image.fromarray(source.squeeze(2) if source.shape[2:] == (1,) else source).convert("RGB")
