"""Open OpenVINO files, on CPUs."""

from __future__ import annotations

import threading
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.inference.exported.exported_network import (
    METADATA_KEY,
    ExportedNet,
    import_optional,
    only_name,
    reason_of,
)
from reid_gl.untrusted.regular_file import why_no_file

HINTS = {"float32": "f32", "bfloat16": "bf16"}


@cache
def openvino_core() -> Any:  # noqa: ANN401 - openvino has no types
    """Return the only Core of the process, which lives until the process ends.

    On CPUs with AMX, each Core gives its thread a stack for signals and restores the previous stack when it
    is destroyed. With two Cores, the first may have freed that stack by then, and the next signal would crash
    the process.

    Raises:
        ImportError: openvino is not installed.
    """
    return import_optional("openvino").Core()


def open_openvino(path: Path, *, device: str, precision: str, output_name: str | None = None) -> ExportedNet:
    """Open an OpenVINO file.

    Args:
        path: .xml, with its .bin next to it.
        device: "auto" or "cpu".
        precision: "float32" and "bfloat16" fix the precision of the layers; with any other value OpenVINO
            chooses, and takes bfloat16 if the CPU supports it.
        output_name: the output with the features, if there are several.

    Raises:
        ValueError: another device, not an OpenVINO file, or not a network with one input.
        FileNotFoundError: the .bin is missing.
        ImportError: openvino is not installed.
    """
    core = openvino_core()
    if device not in ("auto", "cpu"):
        raise ValueError(f"OpenVINO computes on the CPU, got device {device!r}: use cpu, or an ONNX file")
    numbers = path.with_suffix(".bin")
    if not numbers.is_file():
        raise FileNotFoundError(f"{numbers}, which holds the weights of {path}, {why_no_file(numbers)}")
    hints = {"INFERENCE_PRECISION_HINT": HINTS[precision]} if precision in HINTS else {}
    try:
        model = core.read_model(path)
        compiled = core.compile_model(model, "CPU", hints)
    except RuntimeError as error:
        raise ValueError(f"{path} cannot be used as an OpenVINO file: {reason_of(error)}") from None
    inputs = {port.get_any_name(): port for port in compiled.inputs}
    source = inputs[only_name(list(inputs), "input", path)]
    output = only_name([port.get_any_name() for port in compiled.outputs], "output", path, output_name)
    dtype = source.get_element_type().to_dtype()
    if dtype not in (np.float32, np.float16, np.uint8):
        raise ValueError(f"{path} takes images of {dtype}: expected float32, float16 or uint8")
    requests = threading.local()  # a request serves one caller at a time

    def run(images: NDArray[Any]) -> NDArray[Any]:
        if not hasattr(requests, "mine"):
            requests.mine = compiled.create_infer_request()
        requests.mine.infer([images])
        features: NDArray[Any] = requests.mine.get_tensor(
            output
        ).data.copy()  # copied, because the next call overwrites it
        return features

    sizes = source.get_partial_shape()
    return ExportedNet(
        run=run,
        input_shape=tuple(None if size.is_dynamic else size.get_length() for size in sizes),
        description=model.get_rt_info(METADATA_KEY).astype(str) if model.has_rt_info(METADATA_KEY) else "",
        device="cpu",
        dtype=dtype,
    )
