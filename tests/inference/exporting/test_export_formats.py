from __future__ import annotations

import os
import resource
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reid_gl.inference.exported.open_onnx import open_onnx
from reid_gl.inference.exported.open_openvino import open_openvino
from reid_gl.inference.exported.open_torchscript import open_torchscript
from reid_gl.inference.exporting import export_formats
from tests.inference.exported.mean_colour import (
    MeanColour,
    write_onnx,
)


def test_nncf_is_imported_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "before")
    monkeypatch.delenv("NNCF_CI", raising=False)
    seen: list[tuple[str | None, str | None]] = []

    def fake(name: str) -> SimpleNamespace:
        assert name == "nncf"
        seen.append((os.environ.get("NNCF_CI"), os.environ.get("CI")))
        return SimpleNamespace(set_log_level=lambda level: None)

    monkeypatch.setattr(export_formats, "import_optional", fake)
    export_formats._import_nncf()
    assert seen == [("1", "true")]
    assert "NNCF_CI" not in os.environ
    assert os.environ["CI"] == "before"


NORMALIZED = np.random.default_rng(0).normal(size=(5, 3, 8, 4)).astype(np.float32)


@pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:FutureWarning")
def test_a_torchscript_file_gives_the_features_and_says_nothing_of_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "net.torchscript"
    export_formats.write_torchscript(MeanColour(), torch.zeros(2, 3, 8, 4), path, "described")
    net = open_torchscript(path, device="cpu")
    np.testing.assert_allclose(net.run(NORMALIZED), NORMALIZED.mean(axis=(2, 3)), atol=1e-6)
    assert net.description == "described"
    assert str(Path(torch.__file__).parents[1]).encode() not in path.read_bytes()
    with zipfile.ZipFile(path) as archive:
        assert not [name for name in archive.namelist() if name.endswith(".debug_pkl")]


def test_an_onnx_file_gives_the_features_of_any_number_of_images(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    export_formats.write_onnx(MeanColour(), torch.zeros(2, 3, 8, 4), path, "described")
    net = open_onnx(path, device="cpu")
    assert (net.input_shape, net.description) == ((None, 3, 8, 4), "described")
    for count in (1, 5):
        np.testing.assert_allclose(
            net.run(NORMALIZED[:count]), NORMALIZED[:count].mean(axis=(2, 3)), atol=1e-6
        )


@pytest.mark.parametrize("half", [False, True])
def test_an_openvino_file_is_made_of_an_onnx_file(half: bool, tmp_path: Path) -> None:
    source, path = write_onnx(tmp_path / "source.onnx"), tmp_path / "net.xml"
    export_formats.write_openvino(source, path, "described", half=half)
    net = open_openvino(path, device="cpu", precision="float32")
    assert net.description == "described"
    np.testing.assert_allclose(net.run(NORMALIZED), NORMALIZED.mean(axis=(2, 3)), atol=1e-5)


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """Refuse to write more than 100 bytes into a file; gives an ONNX file that was written before."""
    source = write_onnx(tmp_path / "source.onnx")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    yield source
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_onnx_on_a_full_disk(full_disk: Path) -> None:
    with pytest.raises(OSError, match="File too large"):
        export_formats.write_onnx(
            MeanColour(), torch.zeros(2, 3, 8, 4), full_disk.with_name("net.onnx"), "described"
        )


def test_openvino_on_a_full_disk(full_disk: Path) -> None:
    path = full_disk.with_name("net.xml")
    with pytest.raises(OSError, match=rf"^OpenVINO cannot write {path} \(.*\): is the disk full\?$"):
        export_formats.write_openvino(full_disk, path, "described")


@pytest.mark.parametrize("package", ["onnx", "onnxscript"])
def test_a_missing_package_is_named_before_anything_is_traced(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=rf"{package} is needed here .*: pip install reid_gl\[export\]"):
        export_formats.write_onnx(MeanColour(), torch.zeros(2, 3, 8, 4), tmp_path / "net.onnx", "")
    assert not list(tmp_path.iterdir())
