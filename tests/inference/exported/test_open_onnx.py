from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from reid_gl.inference.exported.open_onnx import open_onnx
from tests.inference.exported.mean_colour import (
    write_onnx,
)

NORMALIZED = np.random.default_rng(0).normal(size=(4, 3, 8, 4)).astype(np.float32)


@pytest.mark.parametrize(("batch", "length"), [("n", None), (4, 4)])
def test_features_shape_and_description_by_hand(batch: str | int, length: int | None, tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx", (batch, 3, 8, 4))
    net = open_onnx(path, device="auto")
    np.testing.assert_allclose(net.run(NORMALIZED), NORMALIZED.mean(axis=(2, 3)), atol=1e-6)
    assert (net.input_shape, net.description, net.device) == ((length, 3, 8, 4), "", "cpu")
    model = onnx.load(str(path))
    helper.set_model_props(model, {"reid_gl": "described"})
    onnx.save(model, str(path))
    assert open_onnx(path, device="cpu").description == "described"


def test_images_that_do_not_fit_raise_what_it_names(tmp_path: Path) -> None:
    net = open_onnx(write_onnx(tmp_path / "net.onnx"), device="cpu")
    with pytest.raises(net.errors):
        net.run(np.zeros((1, 3, 9, 9), np.float32))


def test_a_network_in_half_precision_gets_halves(tmp_path: Path) -> None:
    net = open_onnx(write_onnx(tmp_path / "net.onnx", kind=TensorProto.FLOAT16), device="cpu")
    assert net.dtype == np.float16
    features = net.run(NORMALIZED.astype(net.dtype))
    assert features.dtype == np.float16
    np.testing.assert_allclose(features, NORMALIZED.mean(axis=(2, 3)), atol=1e-2)


def test_whole_numbers_are_no_images(tmp_path: Path) -> None:
    path = write_onnx(tmp_path / "net.onnx", kind=TensorProto.INT32)
    with pytest.raises(
        ValueError, match=r"takes tensor\(int32\): expected tensor\(float\) or tensor\(float16\)"
    ):
        open_onnx(path, device="cpu")


@pytest.mark.parametrize("device", ["mps", "xpu:1"])
def test_devices_that_onnxruntime_has_not(device: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=f"device '{device}' is not available to onnxruntime here: use cpu"):
        open_onnx(write_onnx(tmp_path / "net.onnx"), device=device)


def test_a_graphics_card_is_asked_for_by_its_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    session = onnxruntime.InferenceSession

    def open_session(path: str, providers: list[object]) -> object:
        asked.extend(providers)
        return session(path, providers=["CPUExecutionProvider"])

    monkeypatch.setattr(onnxruntime, "InferenceSession", open_session)
    path = write_onnx(tmp_path / "net.onnx")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(ValueError, match="'cuda:1' is not available to onnxruntime here"):
        open_onnx(path, device="cuda:1")
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    assert open_onnx(path, device="cuda:1").device == "cuda:1"
    assert asked == [("CUDAExecutionProvider", {"device_id": 1}), "CPUExecutionProvider"]


def test_a_file_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "net.onnx").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"net\.onnx cannot be used as an ONNX file: "):
        open_onnx(tmp_path / "net.onnx", device="cpu")
