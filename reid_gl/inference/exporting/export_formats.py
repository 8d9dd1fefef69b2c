"""Write modules as ONNX, OpenVINO and TorchScript files."""

from __future__ import annotations

import io
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from reid_gl.inference.exported.exported_network import METADATA_KEY, import_optional
from reid_gl.inference.exported.open_openvino import openvino_core
from reid_gl.inference.exported.open_torchscript import DESCRIPTION_FILE

INPUT, OUTPUT = "images", "features"
MOST_LETTERS = 300
"""Maximum length of OpenVINO's words in a message; it adds lines of its source."""


def write_onnx(net: nn.Module, example: Tensor, path: Path, description: str) -> None:
    """Write a module as ONNX, for any number of images.

    Args:
        net: maps (N, 3, H, W) to (N, D), in evaluation mode.
        example: example input (2, 3, H, W).
        path: file to write, .onnx.
        description: text for the file's metadata.

    Raises:
        ImportError: onnx or onnxscript is not installed.
    """
    for name in ("onnx", "onnxscript"):
        import_optional(name)
    with torch.no_grad():
        program = torch.export.export(net, (example,), dynamic_shapes=({0: torch.export.Dim("batch")},))
        onnx = torch.onnx.export(
            program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], verbose=False, optimize=True
        )
    assert onnx is not None  # with dynamo and without a file name, the result is never None
    _forget_the_machine(onnx.model)
    onnx.model.metadata_props[METADATA_KEY] = description
    onnx.save(path)


def _forget_the_machine(model: Any) -> None:  # noqa: ANN401 - of onnx_ir, which is optional
    """Remove torch's annotations: source lines and paths on the disk of the exporting user."""
    for part in (model.graph, *model.functions.values()):
        part.metadata_props.clear()
        for node in part:
            node.metadata_props.clear()
            for value in (*node.outputs, *node.inputs):
                if value is not None:
                    value.metadata_props.clear()
        for value in part.inputs:
            value.metadata_props.clear()


def write_torchscript(net: nn.Module, example: Tensor, path: Path, description: str) -> None:
    """Write a module as TorchScript; arguments as write_onnx.

    The file is first written to memory, because torch ends the process on a full disk.

    Raises:
        OSError: the disk is full or not writable.
    """
    with torch.no_grad():
        traced = torch.jit.trace(net, example, check_trace=False)
    whole, kept = io.BytesIO(), io.BytesIO()
    torch.jit.save(traced, whole, _extra_files={DESCRIPTION_FILE: description})
    whole.seek(0)
    reader, writer = torch._C.PyTorchFileReader(whole), torch._C.PyTorchFileWriter(kept)
    for name in reader.get_all_records():
        # .debug_pkl: paths on the disk of the exporting user; the writer adds the other records itself
        if not name.endswith(".debug_pkl") and name not in ("version", "byteorder", ".data/serialization_id"):
            record = reader.get_record(name)
            writer.write_record(name, record, len(record))
    writer.write_end_of_file()
    path.write_bytes(kept.getbuffer())


def write_openvino(
    onnx_path: Path,
    path: Path,
    description: str,
    *,
    half: bool = False,
    calibration: NDArray[np.float32] | None = None,
) -> None:
    """Write an ONNX file as OpenVINO's .xml and .bin.

    Args:
        onnx_path: file to read.
        path: file to write, .xml.
        description: text for the file's metadata.
        half: store weights in float16; layers compute in the precision chosen when the file is opened.
        calibration: (M, 3, H, W) normalised images that determine the ranges of int8 layers; None for no
            int8.

    Raises:
        ImportError: openvino, or nncf for int8, is not installed.
        OSError: the disk is full or not writable.
    """
    model = openvino_core().read_model(onnx_path)
    if calibration is not None:
        nncf = _import_nncf()
        images = nncf.Dataset([image[None] for image in calibration])
        model = nncf.quantize(model, images, subset_size=len(calibration))
    model.set_rt_info(description, METADATA_KEY)
    try:
        import_optional("openvino").save_model(model, path, compress_to_fp16=half)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:MOST_LETTERS]
        raise OSError(f"OpenVINO cannot write {path} ({reason}): is the disk full?") from None


def _import_nncf() -> ModuleType:
    """Import nncf, which reports every use to its makers unless these variables are set at import."""
    with _environment({"NNCF_CI": "1", "CI": "true"}):
        nncf = import_optional("nncf")
    nncf.set_log_level(logging.ERROR)
    return nncf


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            del os.environ[name]
            if value is not None:
                os.environ[name] = value
