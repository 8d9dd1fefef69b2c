"""Export a checkpoint to a file of another runtime and check it against the network in torch."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reid_gl.data.loading.images import Image8
from reid_gl.files import unfinished_beside
from reid_gl.inference.exported.exported_network import EXPORT_FORMAT, read_sidecar, sidecar_of
from reid_gl.inference.exporting.export_boxmot import boxmot_files, write_boxmot_metadata
from reid_gl.inference.exporting.export_formats import write_onnx, write_openvino, write_torchscript
from reid_gl.inference.exporting.export_parity import (
    NUM_COMPARED,
    Parity,
    check_parity,
    measure_parity,
    read_crops,
)
from reid_gl.inference.exporting.export_settings import ExportSettings, check_name, default_name
from reid_gl.inference.extractor.embedder import LoadedEmbedder, load_embedder
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.inference.extractor.foreign import NOTHING_SAID, Foreign
from reid_gl.inference.extractor.open_weights import stored_strategies
from reid_gl.own_files import check_replaceable
from reid_gl.records import Sample


def export_weights(
    weights: str | Path,
    settings: ExportSettings,
    *,
    foreign: Foreign = NOTHING_SAID,
    out: str | Path | None = None,
    force: bool = False,
    images: Sequence[Sample] = (),
) -> dict[str, Any]:
    """Write a checkpoint's network, up to features of length one, to a file of another runtime.

    The file and the JSON file next to it, which FeatureExtractor reads, appear only after the check has
    passed.

    Args:
        weights: a reid_gl checkpoint, or weights of another project.
        settings: format and settings of the file.
        foreign: the caller's description of weights of another project.
        out: the file; None names it after the checkpoint, or as the profile requires, in the same folder.
        force: replace a file of that name even if it is not one of our exports.
        images: real crops of people for the check and for calibrating int8, which needs at least
            FEWEST_IMAGES. None: synthetic images.

    Returns:
        "file", the settings, "embedding_dim", "input_size", "bytes", and "parity" by batch size.

    Raises:
        ArithmeticError: the file's features are too far from the network's; no file is left.
        ValueError, FileNotFoundError: weights, images or settings cannot be used.
        FileExistsError: a file that is not one of our exports would be replaced.
        ImportError: a package of the extra "export" is missing.
    """
    weights = find_weights(weights)
    reference = _load(weights, foreign, settings)
    out = default_name(weights, reference, settings) if out is None else Path(out)
    check_name(out, reference, settings)
    _check_replaceable(out, settings, force=force)
    crops = read_crops(images, reference.preprocessing, settings.precision)
    net = reference.net
    if settings.precision == "fp16" and settings.format != "openvino":  # OpenVINO itself converts to float16
        net = _load(weights, foreign, settings, half=True).net
    description = json.dumps(_describe(weights, reference, settings), indent=2)
    parity, num_bytes = _write_checked(out, net, reference, crops, description, settings)
    return {
        "file": str(out),
        **asdict(settings),
        "feature": reference.feature,
        "embedding_dim": reference.embedding_dim,
        "input_size": [reference.preprocessing.height, reference.preprocessing.width],
        "bytes": num_bytes,
        "parity": [asdict(one) for one in parity],
    }


def _load(weights: Path, foreign: Foreign, settings: ExportSettings, *, half: bool = False) -> LoadedEmbedder:
    square_size = settings.square_size if settings.profile == "ultralytics" else None
    return load_embedder(weights, foreign, flip=settings.flip, square_size=square_size, half=half)


def _write_checked(
    out: Path,
    net: nn.Module,
    reference: LoadedEmbedder,
    crops: Image8,
    description: str,
    settings: ExportSettings,
) -> tuple[list[Parity], int]:
    """Write a network beside `out`, compare it with the reference, and move it there; parity and bytes."""
    normalized = reference.preprocessing.normalize(torch.from_numpy(crops).permute(0, 3, 1, 2)).contiguous()
    with unfinished_beside(out) as folder:
        partial = folder / out.name
        _write(partial, net, normalized, description, settings)
        if _has_boxmot_metadata(settings):
            write_boxmot_metadata(partial, reference.preprocessing, folder=out.absolute().parent.name)
        parity = measure_parity(partial, reference, crops[:NUM_COMPARED], settings.precision)
        num_bytes = sum(file.stat().st_size for file in folder.iterdir())
        check_parity(parity, settings.precision, str(out))
        _move(partial, out)
    return parity, num_bytes


def _write(path: Path, net: nn.Module, crops: Tensor, description: str, settings: ExportSettings) -> None:
    """Write a network; the first NUM_COMPARED of the crops (M, 3, H, W) are not used for calibration."""
    example = crops[:2]
    if settings.format == "torchscript":
        write_torchscript(net, example, path, description)
    elif settings.format == "onnx":
        write_onnx(net, example, path, description)
    else:
        intermediate = path.with_suffix(".onnx")
        write_onnx(net, example, intermediate, description)
        calibration = crops[NUM_COMPARED:].numpy() if settings.precision == "int8" else None
        half = settings.precision == "fp16"
        write_openvino(intermediate, path, description, half=half, calibration=calibration)
        intermediate.unlink()
    sidecar_of(path).write_text(f"{description}\n", encoding="utf-8")


def _has_boxmot_metadata(settings: ExportSettings) -> bool:
    return settings.profile == "boxmot" and settings.format != "onnx"


def _check_replaceable(out: Path, settings: ExportSettings, *, force: bool) -> None:
    """Refuse to replace files other than an earlier export, which is recognised by its description."""

    def is_ours(path: Path) -> bool:
        try:
            return read_sidecar(out).get("format") == EXPORT_FORMAT
        except ValueError:
            return False

    files = [out, sidecar_of(out)]
    if settings.format == "openvino":
        files.append(out.with_suffix(".bin"))
    if _has_boxmot_metadata(settings):
        files += boxmot_files(out, folder=out.absolute().parent.name)
    for file in files:
        check_replaceable(file, force=force, is_ours=is_ours)


def _describe(weights: Path, reference: LoadedEmbedder, settings: ExportSettings) -> dict[str, Any]:
    description = {
        "format": EXPORT_FORMAT,
        "preprocessing": reference.preprocessing.to_dict(),
        "embedding_dim": reference.embedding_dim,
        "feature": reference.feature,
        "normalized": True,
        "precision": settings.precision,
        "profile": settings.profile,
        "flip": reference.strategies.settings.flip or settings.flip,
        "source": weights.name,
    }
    stored_flip = stored_strategies(reference.checkpoint).settings.flip
    same_features = settings.profile != "ultralytics" and (stored_flip or not settings.flip)
    if same_features and "calibration" in reference.checkpoint:
        description["calibration"] = reference.checkpoint["calibration"]
    return description


def _move(partial: Path, out: Path) -> None:
    """Move an export to its place so that a reader finds either all of it or nothing."""
    out.unlink(missing_ok=True)  # never leave a new description next to an old network
    for file in partial.parent.iterdir():
        if file != partial:
            shutil.move(file, out.parent / file.name)
    partial.replace(out)
