"""Open ONNX files with onnxruntime."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.inference.exported.exported_network import (
    METADATA_KEY,
    ExportedNet,
    Shape,
    import_optional,
    only_name,
    reason_of,
)

INPUT_TYPES = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(uint8)": np.uint8}
ERRORS = ("Fail", "InvalidArgument", "InvalidGraph", "InvalidProtobuf", "NotImplemented", "RuntimeException")


def open_onnx(path: Path, *, device: str, output_name: str | None = None) -> ExportedNet:
    """Open an ONNX file.

    Args:
        path: .onnx.
        device: "auto" and "cpu" are the CPU; "cuda" and "cuda:1" need onnxruntime's CUDA provider.
        output_name: the output with the features, if there are several.

    Raises:
        ValueError: no such device, not an ONNX file, or not a network with one input.
        ImportError: onnxruntime is not installed.
    """
    runtime = import_optional("onnxruntime")
    state = runtime.capi.onnxruntime_pybind11_state
    errors = tuple(getattr(state, name) for name in ERRORS)  # their only common base class is Exception
    try:
        session = runtime.InferenceSession(str(path), providers=_providers(runtime, device))
    except errors as error:
        raise ValueError(f"{path} cannot be used as an ONNX file: {reason_of(error)}") from None
    inputs = {argument.name: argument for argument in session.get_inputs()}
    name = only_name(list(inputs), "input", path)
    output = only_name([argument.name for argument in session.get_outputs()], "output", path, output_name)
    if inputs[name].type not in INPUT_TYPES:
        raise ValueError(f"{path} takes {inputs[name].type}: expected {' or '.join(INPUT_TYPES)}")

    def run(images: NDArray[Any]) -> NDArray[Any]:
        features: NDArray[Any] = session.run([output], {name: images})[0]
        return features

    return ExportedNet(
        run=run,
        input_shape=_shape(inputs[name].shape),
        description=session.get_modelmeta().custom_metadata_map.get(METADATA_KEY, ""),
        device="cpu" if device == "auto" else device,
        errors=errors,
        dtype=INPUT_TYPES[inputs[name].type],
    )


def _providers(runtime: ModuleType, device: str) -> list[Any]:
    kind, _, number = device.partition(":")
    if kind in ("auto", "cpu"):
        return ["CPUExecutionProvider"]
    if kind != "cuda" or "CUDAExecutionProvider" not in runtime.get_available_providers():
        raise ValueError(
            f"device {device!r} is not available to onnxruntime here: use cpu, or install "
            "onnxruntime-gpu for cuda"
        )
    return [("CUDAExecutionProvider", {"device_id": int(number or 0)}), "CPUExecutionProvider"]


def _shape(sizes: list[int | str | None]) -> Shape:
    return tuple(size if isinstance(size, int) else None for size in sizes)
