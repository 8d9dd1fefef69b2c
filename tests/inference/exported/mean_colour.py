"""A network that is worked out by hand, the mean of each channel, as a file of each runtime."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import openvino
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper
from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing

SMALL = Preprocessing(8, 4, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))


DESCRIPTION = {"format": "reid_gl/export/1", "preprocessing": SMALL.to_dict(), "precision": "float32"}


class MeanColour(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))


def write_onnx(
    path: Path,
    shape: tuple[str | int, ...] = ("n", 3, 8, 4),
    *,
    keep: int = 0,
    squeeze: bool = False,
    axes: tuple[int, ...] = (2, 3),
    kind: int = TensorProto.FLOAT,
) -> Path:
    """ReduceMean over the last two axes; keep=1 gives (N, 3, 1, 1), and squeeze takes all axes of 1 away."""
    nodes = [
        helper.make_node(
            "ReduceMean", ["images", "axes"], ["mean" if squeeze else "features"], keepdims=keep
        ),
        *([helper.make_node("Squeeze", ["mean"], ["features"])] if squeeze else []),
    ]
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("images", kind, shape)],
        [helper.make_tensor_value_info("features", kind, None)],
        [helper.make_tensor("axes", TensorProto.INT64, [len(axes)], axes)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(path))
    return path


def write(folder: Path, kind: str) -> Path:
    path = write_onnx(folder / "net.onnx")
    if kind == "openvino":
        model = openvino.Core().read_model(path)
        path = folder / "net.xml"
        openvino.save_model(model, path, compress_to_fp16=False)
    elif kind == "torchscript":
        path = folder / "net.torchscript"
        torch.jit.save(torch.jit.trace(MeanColour(), torch.zeros(2, 3, 8, 4)), str(path))
    return path


def describe(path: Path, **changes: Any) -> Path:
    path.with_name(f"{path.name}.json").write_text(json.dumps({**DESCRIPTION, **changes}))
    return path


def images(count: int) -> NDArray[np.uint8]:
    return np.random.default_rng(count).integers(0, 256, (count, 8, 4, 3), dtype=np.uint8)


def by_hand(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    mean: NDArray[np.float64] = images.mean(axis=(1, 2)) / 255
    return (mean - SMALL.mean) / SMALL.std
