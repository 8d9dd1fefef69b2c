from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.inference.extractor.find_weights import find_weights, results_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.safetensors", "weights.safetensors"):
        (tmp_path / name).write_bytes(b"")
    return tmp_path


def test_a_folder_holds_the_network_that_its_description_is_of(folder: Path) -> None:
    with pytest.raises(
        ValueError, match=r"did not write, and has model\.safetensors, weights\.safetensors: name a f"
    ):
        find_weights(folder)
    (folder / "config.json").write_text(json.dumps({"format": "reid_gl-weights/1"}))
    assert find_weights(str(folder)) == folder / "model.safetensors"
    (folder / "reid_config.json").write_text("{}")
    with pytest.raises(
        ValueError, match=r"has two networks \(model\.safetensors, weights\.safetensors\): name o"
    ):
        find_weights(folder)
    (folder / "config.json").write_text(json.dumps({"architecture": "resnet50"}))  # of another program
    assert find_weights(folder) == folder / "weights.safetensors"


def test_a_folder_without_weights(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"is a folder that reid-gl weights card did not write, and has no wei"
    ):
        find_weights(tmp_path)
    (tmp_path / "b.ckpt").touch()
    with pytest.raises(ValueError, match=rf"has b\.ckpt: name a file, such as {tmp_path}/b\.ckpt"):
        find_weights(tmp_path)


def test_a_path_stays_what_it_is() -> None:
    assert find_weights("runs/model.ckpt") == Path("runs/model.ckpt")


def test_results_of_cached_weights_are_written_here(folder: Path) -> None:
    cached = folder / "models--a--b" / "snapshots" / "1234" / "model.safetensors"
    assert results_folder(cached) == cached.parent
    (folder / "models--a--b" / "blobs").mkdir(parents=True)
    assert results_folder(cached) == Path()
