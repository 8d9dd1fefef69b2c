from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exporting.export_boxmot import boxmot_files, write_boxmot_metadata


@pytest.mark.parametrize(
    ("folder", "names"),
    [
        ("weights", ["net.xml.metadata.json"]),
        ("osnet_market1501_openvino_model", ["net.xml.metadata.json", "manifest.json"]),
    ],
)
def test_height_and_width_stand_in_every_file_that_boxmot_reads(
    folder: str, names: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "net.xml"
    assert boxmot_files(path, folder=folder) == [tmp_path / name for name in names]
    write_boxmot_metadata(path, Preprocessing(256, 128), folder=folder)
    assert sorted(found.name for found in tmp_path.iterdir()) == sorted(names)
    for name in names:
        metadata = json.loads((tmp_path / name).read_text())
        assert metadata["img_size"] == metadata["model_kwargs"]["img_size"] == [256, 128]
