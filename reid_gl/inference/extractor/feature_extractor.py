"""One class for users who only want features: images in, unit vectors out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from PIL import Image
from torch import nn

from reid_gl.data.loading.images import Image8, read_image
from reid_gl.data.loading.pil_images import decode_pil_image
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.inference.extractor.crops import as_corners, check_image_array, cut_boxes, resize_crops
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.inference.extractor.foreign import Foreign, GivenPreprocessing
from reid_gl.inference.extractor.load_runtime import load_runtime
from reid_gl.inference.extractor.runtime import Runtime
from reid_gl.inference.extractor.stored_thresholds import NO_CALIBRATION, load_calibration, same_person
from reid_gl.models.packaged import PACKAGED

logger = logging.getLogger(__name__)

Floats = NDArray[np.float32]
ImageSource: TypeAlias = "str | Path | Image8 | torch.Tensor | Image.Image"
P = TypeVar("P")
COLOR_ORDERS = ("bgr", "rgb")


class FrameFeatures(NamedTuple):
    """Features of the boxes of one frame.

    Attributes:
        features: (N, D) float32; zeros where a box is not valid.
        valid: (N,) bool, False for a box that contains no pixel of the frame or has NaN.
    """

    features: Floats
    valid: NDArray[np.bool_]


class FeatureExtractor:
    """Compute features of people, ready for a tracker. Several threads may share one extractor.

    Our checkpoints store the feature and the test-time strategies (TEST.FEATURE, MIXING, SLOPE, BETA, FLIP,
    NUM_CROPS or a PRESET) of their experiment. These are used here as in `reid-gl test`, except for
    re-ranking, which needs a gallery.

    Args:
        weights: "package", a small network that is part of reid_gl and has seen rendered people only; a
            reid_gl checkpoint; a state dict of another project, with `architecture` unless it is one of
            those that `reid-gl weights list` shows; an ONNX (.onnx), OpenVINO (.xml) or TorchScript
            (.torchscript) file; a folder of ours or of Roboflow's `reid`; a runtime; or a name on a hub,
            `hf://owner/repo[@revision][/file]`.
        device: "auto", "cuda", "cuda:1", "mps" or "cpu".
        precision: "auto" is the fastest safe one of the device; "float32", "bfloat16", "float16"; "int8" for
            files that were exported in int8.
        batch_size: images per batch; it changes features only by rounding errors.
        color_order: channel order of arrays, "bgr" as OpenCV reads them, or "rgb"; None takes them as BGR and
            says so once. Files, PIL images and tensors are always RGB.
        normalize: scale each feature to length one.
        flip: average the features of an image and its mirror image, which takes twice the time; None does
            what the checkpoint's experiment does, and is False for other files.
        architecture: network of a foreign state dict, such as "osnet_x1_0" or "resnet50".
        backbone: your own network, if one of our checkpoints was trained with it: any module that returns a
            feature map, see ReidNet; a copy of it is used.
        input_size: (height, width), if the file does not state it.
        mean: per channel RGB, in units of pixel_range, if the file does not state it.
        std: as mean.
        pixel_range: value of white in the network's input, 1.0 or 255.0, if the file does not state it.
        channel_order: order of the network's input channels, "rgb" or "bgr", if the file does not state it;
            mean and std stay RGB. Not to be confused with color_order, the order in the arrays given here.
        kernel: resize kernel of a foreign network: "linear", "cubic" or "area" of OpenCV, or PIL's
            "antialiased_linear" and "antialiased_cubic", which smooth before they shrink. None takes the one
            that the project trains with, and "linear" for exported files that do not state it.
        output_name: the output with the features, for an ONNX or OpenVINO file with several outputs.

    Attributes:
        embedding_dim: D.
        input_size: (height, width) of the network's input.
        preprocessing: resize and normalisation.
        device: device of the network.

    Raises:
        FileNotFoundError, ValueError: the weights cannot be used; the message says why.
    """

    def __init__(
        self,
        weights: str | Path | Runtime = PACKAGED,
        *,
        device: str = "auto",
        precision: str = "auto",
        batch_size: int = 64,
        color_order: str | None = None,
        normalize: bool = True,
        flip: bool | None = None,
        architecture: str | None = None,
        backbone: nn.Module | None = None,
        input_size: tuple[int, int] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        pixel_range: float | None = None,
        channel_order: str | None = None,
        kernel: str | None = None,
        output_name: str | None = None,
    ) -> None:
        if color_order is not None and color_order not in COLOR_ORDERS:
            raise ValueError(f"unknown color order {color_order!r}: expected bgr, rgb or None")
        if batch_size < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if backbone is not None and not isinstance(weights, str | Path):
            raise ValueError(
                "backbone is for a checkpoint, but a runtime was given, which has its own network"
            )
        if isinstance(weights, str | Path):
            weights = find_weights(weights)
        given = GivenPreprocessing(input_size, mean, std, pixel_range, channel_order, kernel)
        self._runtime: Runtime = (
            load_runtime(
                Path(weights),
                device=device,
                precision=precision,
                flip=flip,
                foreign=Foreign(architecture, given, output_name),
                backbone=backbone,
            )
            if isinstance(weights, str | Path)
            else weights
        )
        self._batch_size, self._color_order, self._normalize = batch_size, color_order, normalize
        self._name = str(weights) if isinstance(weights, str | Path) else type(weights).__name__
        self._calibration = load_calibration(weights) if isinstance(weights, str | Path) else None

    @property
    def embedding_dim(self) -> int:
        """D."""
        return self._runtime.embedding_dim

    @property
    def preprocessing(self) -> Preprocessing:
        """Return resize and normalisation."""
        return self._runtime.preprocessing

    @property
    def input_size(self) -> tuple[int, int]:
        """Return (height, width) of the network's input."""
        return self.preprocessing.height, self.preprocessing.width

    @property
    def device(self) -> str:
        """Return the device of the network."""
        return self._runtime.device

    @property
    def calibration(self) -> Calibration:
        """Return the thresholds stored with the weights; ValueError if there are none."""
        if self._calibration is None:
            raise ValueError(f"{self._name} {NO_CALIBRATION}")
        return self._calibration

    def same_person(
        self, features_a: ArrayLike, features_b: ArrayLike, far: float = 1e-3
    ) -> bool | NDArray[np.bool_]:
        """Return whether features show the same person, by the calibrated threshold.

        Args:
            features_a: (D,) or (N, D).
            features_b: (D,) or (N, D).
            far: calibrated false accept rate: the share of pairs of different people that are accepted.

        Returns:
            One bool if both are (D,), else (N,) bool.

        Raises:
            ValueError: the weights have no calibration, or none for this rate.
        """
        return same_person(self.calibration, features_a, features_b, far=far)

    def __call__(self, images: ImageSource | Sequence[ImageSource]) -> Floats:
        """Compute the features of images, in their order.

        Args:
            images: one image or several, also mixed: paths, uint8 arrays (H, W, 3), (H, W, 4) or (H, W),
                PIL images, uint8 tensors (3, H, W) or one (N, 3, H, W). PIL images, like files, are rotated
                by their EXIF tag and scaled from 16 bits; arrays and tensors are used unchanged.

        Returns:
            A new (N, D) float32 array, C-contiguous, owned by the caller; rows have length one unless
            normalize is off. (0, D) for no images.

        Raises:
            FileNotFoundError, TypeError, ValueError: an image cannot be used; the message says which.
        """
        return self._embed(_as_list(images), self._prepare)

    def extract(
        self, frame: Image8, boxes: ArrayLike | torch.Tensor, box_format: str = "xyxy"
    ) -> FrameFeatures:
        """Compute the features of the people in a frame.

        Boxes are clipped to the frame, then truncated to whole pixels, so that the crop is
        frame[y1:y2, x1:x2]. The frame is not changed.

        Args:
            frame: (H, W, 3), (H, W, 4) or (H, W) uint8.
            boxes: (N, 4), or more columns, of which only the first four are used: list, array or tensor.
            box_format: "xyxy" corners; "tlwh" left, top, width, height; "cxcywh" centre, width, height.

        Returns:
            Features (N, D) in the order of the boxes, and which of them are valid: a box that contains no
            pixel of the frame, or has NaN, gets zeros.

        Raises:
            TypeError, ValueError: frame or boxes have another type or shape.
        """
        check_image_array(frame, "frame")
        crops = cut_boxes(frame, as_corners(boxes, box_format))
        valid = np.array([crop is not None for crop in crops], dtype=bool)
        features = np.zeros((len(crops), self.embedding_dim), np.float32)
        if valid.any():
            features[valid] = self._embed([crop for crop in crops if crop is not None], self._prepare_arrays)
        return FrameFeatures(features, valid)

    def embed(self, images: Image8) -> Floats:
        """Compute features (N, D) of images (N, height, width, 3) uint8 RGB that have the input's size."""
        return self._embed(list(images), lambda part: np.stack(list(part)))

    def embed_black(self) -> Floats:
        """Return the feature (D,) of a black image, for trackers that accept no row of zeros."""
        feature: Floats = self.embed(np.zeros((1, *self.input_size, 3), np.uint8))[0]
        return feature

    def _embed(self, sources: Sequence[P], prepare: Callable[[Sequence[P]], Image8]) -> Floats:
        features = np.empty((len(sources), self.embedding_dim), np.float32)
        for start in range(0, len(sources), self._batch_size):
            batch = slice(start, start + self._batch_size)
            features[batch] = self._runtime(prepare(sources[batch]))
        broken = np.flatnonzero(~np.isfinite(features).all(axis=1))
        if len(broken):
            raise ValueError(
                f"the network gives NaN or infinite features for images {broken[:5].tolist()}: the weights "
                "are broken, or the precision is too low"
            )
        if self._normalize:
            lengths = np.linalg.norm(features, axis=1, keepdims=True)
            features /= np.where(lengths > 0, lengths, 1.0)
        return features

    def _prepare(self, sources: Sequence[ImageSource]) -> Image8:
        """Convert images of any kind to (N, height, width, 3) RGB."""
        images = np.empty((len(sources), *self.input_size, 3), np.uint8)
        for place, source in enumerate(sources):
            if isinstance(source, np.ndarray):
                check_image_array(source, f"image {place}")
                images[place] = self._prepare_arrays([source])[0]
            else:
                images[place] = resize_crops([_natural_rgb(source, place)], self.preprocessing)[0]
        return images

    def _prepare_arrays(self, arrays: Sequence[Image8]) -> Image8:
        if self._color_order is None:
            logger.warning(
                "arrays are taken as BGR, as OpenCV reads them: color_order='bgr' or 'rgb' says so explicitly"
            )
            self._color_order = "bgr"
        return resize_crops(arrays, self.preprocessing, color_order=self._color_order)


def _as_list(images: ImageSource | Sequence[ImageSource]) -> list[ImageSource]:
    """Return a list of images; a single image becomes a list of one."""
    is_one = isinstance(images, str | Path | Image.Image)
    if isinstance(images, np.ndarray | torch.Tensor):
        is_one = images.ndim < 4
    return [images] if is_one else list(images)  # type: ignore[list-item, arg-type]


def _natural_rgb(source: ImageSource, place: int) -> Image8:
    """Open an image that has a known channel order."""
    if isinstance(source, str | Path):
        return read_image(source)
    if isinstance(source, Image.Image):
        return decode_pil_image(source, name=f"image {place}")
    if isinstance(source, torch.Tensor):
        if source.dtype != torch.uint8 or source.ndim != 3 or source.shape[0] != 3:
            raise TypeError(
                f"image {place}: a tensor must be uint8 (3, H, W), got {source.dtype} {tuple(source.shape)}"
            )
        rgb: Image8 = source.permute(1, 2, 0).cpu().numpy()
        return rgb
    raise TypeError(
        f"image {place} is a {type(source).__name__}: expected a path, a uint8 array, a PIL image or a tensor"
    )
