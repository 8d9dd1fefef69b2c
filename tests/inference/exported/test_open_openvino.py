from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import openvino
import pytest
from onnx import TensorProto

from reid_gl.inference.exported.open_openvino import open_openvino, openvino_core
from tests.inference.exported.mean_colour import (
    write,
    write_onnx,
)


def test_the_weights_of_an_openvino_file_are_missed(tmp_path: Path) -> None:
    path = write(tmp_path, "openvino")
    path.with_suffix(".bin").unlink()
    with pytest.raises(FileNotFoundError, match=r"net.bin, which holds the weights of .*, does not exist"):
        open_openvino(path, device="cpu", precision="auto")


CLOSE_TWO = """
import os, signal, sys
from pathlib import Path
from reid_gl.inference.exported.open_openvino import open_openvino

heard = []
signal.signal(signal.SIGTERM, lambda *_: heard.append(True))
nets = [open_openvino(Path(sys.argv[1]), device="cpu", precision="float32") for _ in range(2)]
del nets[0]
del nets[0]
os.kill(os.getpid(), signal.SIGTERM)
print(heard)
"""


def test_a_signal_after_two_openvino_files_were_closed_is_heard(tmp_path: Path) -> None:
    words = [sys.executable, "-c", CLOSE_TWO, str(write(tmp_path, "openvino"))]
    answer = subprocess.run(words, capture_output=True, text=True, timeout=120)
    assert (answer.returncode, answer.stdout.strip()) == (0, "[True]"), answer.stderr


NORMALIZED = np.random.default_rng(0).normal(size=(4, 3, 8, 4)).astype(np.float32)


@pytest.mark.parametrize("precision", ["float32", "auto"])
def test_features_shape_and_description_by_hand(precision: str, tmp_path: Path) -> None:
    net = open_openvino(write(tmp_path, "openvino"), device="auto", precision=precision)
    first = net.run(NORMALIZED)
    np.testing.assert_allclose(
        first, NORMALIZED.mean(axis=(2, 3)), atol=1e-2 if precision == "auto" else 1e-5
    )
    kept = first.copy()
    net.run(-NORMALIZED)
    assert np.array_equal(first, kept)  # not overwritten by the next call
    assert (net.input_shape, net.description, net.device) == ((None, 3, 8, 4), "", "cpu")


def test_whole_numbers_are_no_images(tmp_path: Path) -> None:
    model = openvino_core().read_model(write_onnx(tmp_path / "net.onnx", kind=TensorProto.INT32))
    openvino.save_model(model, tmp_path / "net.xml")
    with pytest.raises(ValueError, match="takes images of int32: expected float32, float16 or uint8"):
        open_openvino(tmp_path / "net.xml", device="cpu", precision="auto")


def test_another_device_or_a_broken_file(tmp_path: Path) -> None:
    path = write(tmp_path, "openvino")
    with pytest.raises(
        ValueError, match="OpenVINO computes on the CPU, got device 'cuda': use cpu, or an ONNX"
    ):
        open_openvino(path, device="cuda", precision="auto")
    path.write_text("<net/>")
    with pytest.raises(ValueError, match=r"net\.xml cannot be used as an OpenVINO file: "):
        open_openvino(path, device="cpu", precision="auto")


def test_there_is_one_core() -> None:
    assert openvino_core() is openvino_core()
