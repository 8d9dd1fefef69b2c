"""Metadata files that BoxMOT reads next to an exported network."""

from __future__ import annotations

import json
from pathlib import Path

from reid_gl.data.loading.transforms import Preprocessing

FOLDER_ENDING = "_openvino_model"
"""BoxMOT treats a folder with a name of this form as an OpenVINO network."""
MANIFEST = "manifest.json"


def boxmot_files(path: Path, *, folder: str) -> list[Path]:
    """Return the paths that write_boxmot_metadata writes."""
    files = [path.with_name(f"{path.name}.metadata.json")]
    if folder.endswith(FOLDER_ENDING):
        files.append(path.with_name(MANIFEST))
    return files


def write_boxmot_metadata(path: Path, preprocessing: Preprocessing, *, folder: str) -> None:
    """Write the input size to where BoxMOT 25 looks for it: only from ONNX files does it read it itself.

    Args:
        path: the network, TorchScript or OpenVINO; a file <name>.metadata.json is written next to it.
        preprocessing: preprocessing of the network.
        folder: name of the final folder of the files; if BoxMOT treats the folder as the network, it looks
            for a manifest in it.
    """
    size = [preprocessing.height, preprocessing.width]
    metadata = {
        "schema_version": 1,
        "model_kwargs_schema_version": 1,
        "model_kwargs": {"img_size": size},
        "img_size": size,
    }
    text = json.dumps(metadata, indent=2) + "\n"
    for file in boxmot_files(path, folder=folder):
        file.write_text(text, encoding="utf-8")
