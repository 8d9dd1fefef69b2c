"""Open any file of weights, ours or another project's, as a runtime that computes features."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path

from torch import nn

from reid_gl.inference.exported.open_exported import EXPORTED_SUFFIXES, load_exported
from reid_gl.inference.extractor.foreign import Foreign
from reid_gl.inference.extractor.open_weights import open_weights, stored_preprocessing, stored_strategies
from reid_gl.inference.extractor.runtime import Runtime, TorchRuntime
from reid_gl.models.weight_files import check_weight_file


def load_runtime(
    path: Path,
    *,
    device: str,
    precision: str,
    flip: bool | None,
    foreign: Foreign,
    backbone: nn.Module | None,
) -> Runtime:
    """Open the runtime that computes features with a file; the arguments are those of FeatureExtractor.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file cannot be used, or needs arguments that the caller has not given.
    """
    is_exported = path.suffix.lower() in EXPORTED_SUFFIXES
    if backbone is not None and (foreign.architecture is not None or is_exported):
        raise ValueError(
            f"backbone is for a reid_gl checkpoint of a network of your own: leave it out, or architecture, "
            f"for {path}"
        )
    if is_exported:
        check_weight_file(path, is_exported=True)
        if flip:
            raise ValueError(f"flip is part of a network in torch, {path} is exported: export it with flip")
        given = foreign.images
        preprocessing = None if given.is_empty() else given.build(str(path))
        return load_exported(
            path,
            preprocessing,
            device=device,
            precision=precision,
            kernel=given.kernel,
            output_name=foreign.output_name,
        )
    if precision == "int8":
        raise ValueError(
            f"int8 needs a calibrated export of {path}: reid-gl export --format openvino --precision int8"
        )
    opened = open_weights(path, foreign, backbone=copy.deepcopy(backbone))
    stored = stored_strategies(opened.checkpoint)
    inference = stored.settings if flip is None else replace(stored.settings, flip=flip)
    return TorchRuntime(
        opened.net,
        stored_preprocessing(opened.checkpoint),
        feature=stored.feature,
        device=device,
        precision=precision,
        inference=inference,
    )
