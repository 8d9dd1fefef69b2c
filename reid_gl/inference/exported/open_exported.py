"""Open networks that were exported to ONNX, OpenVINO or TorchScript files, with their descriptions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.data.loading.images import Image8
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exported.exported_network import (
    EXAMPLE,
    LAYOUT,
    LAYOUTS,
    OUTPUT,
    ExportedNet,
    Floats,
    Shape,
    parse_description,
    preprocessing_of,
    read_sidecar,
    sidecar_of,
)
from reid_gl.inference.exported.open_onnx import open_onnx
from reid_gl.inference.exported.open_openvino import open_openvino
from reid_gl.inference.exported.open_torchscript import open_torchscript

EXPORTED_SUFFIXES = (".onnx", ".xml", ".torchscript")
STORED_PRECISIONS = {"float32": "float32", "fp16": "float16", "int8": "int8"}
"""Precisions of exports, and their names for callers."""


class ExportedRuntime:
    """A network in a file of another runtime; see reid_gl.inference.extractor.runtime.

    Args:
        net: the opened file.
        preprocessing: preprocessing of its images.
        name: its name in messages.
        layout: one of LAYOUTS, the order of the input's axes; None infers it from the axis of 3 channels.

    Raises:
        ValueError: the network takes other images, or does not return one feature for each.
    """

    def __init__(
        self, net: ExportedNet, preprocessing: Preprocessing, name: str, *, layout: str | None = None
    ) -> None:
        self._net, self._name = net, name
        self.preprocessing, self.device = preprocessing, net.device
        self._layout = layout or _layout_of(net.input_shape)
        self._batch = _check_input(net.input_shape, preprocessing, name, self._layout)
        if net.dtype == np.uint8:
            _check_takes_pixels(preprocessing, name)
        self.embedding_dim = 0
        black = np.zeros((2, preprocessing.height, preprocessing.width, 3), np.uint8)
        self.embedding_dim = self(black).shape[1]
        self(black[:1])  # the output for a single image may have another shape

    def __call__(self, images: Image8) -> Floats:
        """Map images (N, height, width, 3) uint8 RGB to features (N, D)."""
        pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
        return self.run(self.preprocessing.normalize(pixels).contiguous().numpy())

    def run(self, normalized: Floats) -> Floats:
        """Map normalised images (N, 3, height, width) float32, N at least 1, to features (N, D)."""
        size = self._batch or len(normalized)
        starts = range(0, len(normalized), size)
        return np.concatenate([self._run_batch(normalized[start : start + size], size) for start in starts])

    def _as_input(self, normalized: Floats) -> NDArray[Any]:
        """Convert normalised images (N, 3, height, width) to the layout and dtype of the file."""
        images: NDArray[Any] = normalized.transpose(0, 2, 3, 1) if self._layout == "nhwc" else normalized
        if self._net.dtype == np.uint8:  # these pixels are floats close to whole numbers
            images = np.rint(images)
        return np.ascontiguousarray(images.astype(self._net.dtype, copy=False))

    def _run_batch(self, normalized: Floats, size: int) -> Floats:
        missing = size - len(normalized)  # the file may accept only the batch size that it was exported with
        if missing:
            normalized = np.pad(normalized, ((0, missing), (0, 0), (0, 0), (0, 0)))
        try:
            features = self._net.run(self._as_input(normalized))
        except self._net.errors as error:
            raise ValueError(
                f"{self._name} does not take images of shape {normalized.shape}: {error}"
            ) from error
        rows = _as_rows(features, size)
        if rows is None or self.embedding_dim not in (0, rows.shape[1]):
            raise ValueError(
                f"{self._name} gives {features.shape} for {size} images: expected one feature each, "
                f"({size}, D)"
            )
        return np.asarray(rows[: size - missing], dtype=np.float32)


def _layout_of(shape: Shape) -> str:
    """Return the order of the axes: channels last only if the file says so."""
    return "nhwc" if len(shape) == 4 and shape[3] == 3 and shape[1] != 3 else "nchw"


def _check_takes_pixels(preprocessing: Preprocessing, name: str) -> None:
    """Raise ValueError unless normalisation leaves pixels unchanged, as a uint8 input requires."""
    as_they_are = Preprocessing(
        preprocessing.height, preprocessing.width, mean=(0.0, 0.0, 0.0), std=(1 / 255, 1 / 255, 1 / 255)
    )
    if not _same_images(replace(preprocessing, channel_order="rgb"), as_they_are):
        raise ValueError(
            f"{name} takes uint8, unchanged pixels, but mean {preprocessing.mean} and std "
            f"{preprocessing.std} of colours in [0, 1] change them: give mean (0, 0, 0), std (1, 1, 1) and "
            "pixel_range 255, in a description mean 0 and std 1/255"
        )


def _as_rows(features: NDArray[Any], size: int) -> NDArray[Any] | None:
    """Reshape (N, D), (N, D, 1, 1) or, for one image, (D,) to features (N, D); None for other shapes."""
    shape = features.shape
    if size == 1 and len(shape) == 1:
        return features[None]
    if len(shape) < 2 or shape[0] != size or any(axis != 1 for axis in shape[2:]):
        return None
    return features.reshape(shape[:2])


def load_exported(
    path: Path,
    preprocessing: Preprocessing | None,
    *,
    device: str,
    precision: str,
    kernel: str | None = None,
    output_name: str | None = None,
) -> ExportedRuntime:
    """Open an exported network.

    Its input images are described by the file next to it, by its own metadata, or by the caller.

    Args:
        path: with one of EXPORTED_SUFFIXES.
        preprocessing: the caller's description; None if not given.
        device: "auto", "cpu" or "cuda"; not every runtime supports all of them.
        precision: "auto", or the one the file was exported with; for OpenVINO files other than int8 also
            "float32" and "bfloat16".
        kernel: resize kernel, if the caller gives it.
        output_name: the output with the features, if the caller gives it.

    Raises:
        ValueError: the file cannot be used, its input images are not described or the descriptions differ,
            or it does not have this precision.
        ImportError: the runtime's package is not installed.
    """
    kind = path.suffix.lower()
    output_name = _agreed_word(OUTPUT, {str(sidecar_of(path)): read_sidecar(path)}, output_name)
    if kind == ".onnx":
        net = open_onnx(path, device=device, output_name=output_name)
    elif kind == ".xml":
        net = open_openvino(path, device=device, precision=precision, output_name=output_name)
    elif output_name is None:
        net = open_torchscript(path, device=device)
    else:
        raise ValueError(f"outputs of TorchScript files have no names: leave {OUTPUT} out for {path}")
    descriptions = _descriptions(path, net)
    layout = _agreed_word(LAYOUT, descriptions, None)
    if layout not in (None, *LAYOUTS):
        raise ValueError(f"unknown layout {layout!r} of {path}: expected {' or '.join(LAYOUTS)}")
    stored = _agreed_word("precision", descriptions, None) or "float32"
    _check_precision(path, precision, STORED_PRECISIONS.get(stored, stored))
    said = {
        source: preprocessing_of(one, source)
        for source, one in descriptions.items()
        if "preprocessing" in one
    }
    if preprocessing is not None:
        said["the caller"] = preprocessing
    agreed = agreed_images(said, path)
    if kernel is not None:
        agreed = replace(agreed, kernel=agreed_kernel(descriptions, kernel))
    return ExportedRuntime(net, agreed, str(path), layout=layout)


def _descriptions(path: Path, net: ExportedNet) -> dict[str, dict[str, Any]]:
    """Return all descriptions of a network, by source."""
    metadata = f"the metadata of {path}"
    return {
        str(sidecar_of(path)): read_sidecar(path),
        metadata: parse_description(net.description, metadata) if net.description else {},
    }


def agreed_images(said: Mapping[str, Preprocessing], path: Path) -> Preprocessing:
    """Return what all sources say of the images that a network takes; the kernel is that of the first.

    Args:
        said: descriptions by their source, such as a file or "the caller".
        path: the network, for messages.

    Raises:
        ValueError: nothing is said, or two sources differ.
    """
    if not said:
        raise ValueError(
            f"{path} does not say what images it takes, neither in its metadata nor in {sidecar_of(path)}: "
            f"give input_size, mean, std, pixel_range, channel_order, {EXAMPLE}"
        )
    (source, first), *others = said.items()
    for other, preprocessing in others:
        if not _same_images(first, preprocessing):
            raise ValueError(
                f"{source} and {other} differ on the images {path} takes ({first} and {preprocessing}): "
                "leave these arguments out, or remove the wrong description"
            )
    return first


def agreed_kernel(descriptions: Mapping[str, dict[str, Any]], kernel: str) -> str:
    """Return the caller's kernel; ValueError if a description, by its source, states another one."""
    for source, description in descriptions.items():
        stored = description.get("preprocessing", {}).get("kernel", kernel)
        if stored != kernel:
            raise ValueError(f"{source} says kernel {stored!r}, the caller {kernel!r}: leave kernel out")
    return kernel


def _agreed_word(name: str, descriptions: Mapping[str, Mapping[str, Any]], said: str | None) -> str | None:
    """Return a text from the descriptions; it must not differ from the caller's, if given."""
    for source, description in descriptions.items():
        stored = description.get(name)
        if stored is not None and (not isinstance(stored, str) or said not in (None, stored)):
            caller = "" if said is None else f", the caller {said!r}"
            raise ValueError(f"{source} says {name} {stored!r}{caller}: correct it, or leave it out")
        said = stored or said
    return said


def _same_images(first: Preprocessing, second: Preprocessing) -> bool:
    """Return whether size, channel order and normalisation agree; the kernel is checked elsewhere."""
    numbers = zip((*first.mean, *first.std), (*second.mean, *second.std), strict=True)
    same_planes = all(
        getattr(first, name) == getattr(second, name) for name in ("height", "width", "channel_order")
    )
    return same_planes and all(math.isclose(a, b, rel_tol=1e-4) for a, b in numbers)


def _check_precision(path: Path, precision: str, stored: str) -> None:
    allowed = {"auto", stored}
    if path.suffix.lower() == ".xml" and stored != "int8":
        allowed = {"auto", "float32", "bfloat16"}
    if precision not in allowed:
        raise ValueError(
            f"{path} was exported in {stored} and cannot compute in {precision!r}: use "
            f"{' or '.join(sorted(allowed))}, or export it again"
        )


def _check_input(shape: Shape, preprocessing: Preprocessing, name: str, layout: str) -> int | None:
    """Return the only batch size that a file takes, None if it takes any."""
    axes = {"n": None, "c": 3, "h": preprocessing.height, "w": preprocessing.width}
    expected = tuple(axes[axis] for axis in layout)
    fits = len(shape) == 4 and all(
        own in (None, wanted) for own, wanted in zip(shape[1:], expected[1:], strict=True)
    )
    if not fits:
        shown, wanted = (
            ", ".join("any" if size is None else str(size) for size in sizes) for sizes in (shape, expected)
        )
        raise ValueError(
            f"{name} takes ({shown}): expected ({wanted}), layout {layout}, and the input_size that was given"
        )
    return shape[0]
