from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exporting.export_parity import (
    MIN_COSINE,
    Parity,
    check_parity,
    measure_parity,
    read_crops,
)
from reid_gl.records import Sample
from tests.inference.exported.mean_colour import (
    SMALL,
    describe,
)
from tests.tiny_checkpoint import COLOURS, made_up_embedder


def test_crops_that_are_compared_do_not_calibrate(tmp_path: Path) -> None:
    samples = []
    for number in range(45):
        path = tmp_path / f"{number}.png"
        assert cv2.imwrite(str(path), np.full((8, 8, 3), number, np.uint8))
        samples.append(Sample(str(path), 0, box=(0, 0, 4, 8)))
    crops = read_crops(samples, Preprocessing(8, 4), "int8")
    assert sorted(crops[:, 0, 0, 0].tolist()) == list(range(45))
    assert read_crops(samples, Preprocessing(8, 4), "fp16").shape == (20, 8, 4, 3)
    assert read_crops((), COLOURS, "float32").shape == (20, 64, 32, 3)


def test_fewer_real_crops_than_are_compared_are_left_aside(tmp_path: Path) -> None:
    path = tmp_path / "black.png"
    assert cv2.imwrite(str(path), np.zeros((8, 8, 3), np.uint8))
    crops = read_crops([Sample(str(path), 0)] * 19, Preprocessing(8, 4), "fp16")
    assert crops.shape == (20, 8, 4, 3)
    assert crops.reshape(20, -1).std(axis=1).min() > 20  # made up: neither flat ...
    assert np.array_equal(crops, read_crops((), Preprocessing(8, 4), "float32"))  # ... nor random
    with pytest.raises(ValueError, match="at least 40 real crops, better 300, got 19: give a folder of them"):
        read_crops([Sample(str(path), 0)] * 19, Preprocessing(8, 4), "int8")


class ShiftedMean(nn.Module):
    """Means of the channels, the first one shifted, of length one."""

    shift: Tensor

    def __init__(self, shift: float) -> None:
        super().__init__()
        self.register_buffer("shift", torch.tensor([shift, 0.0, 0.0]))

    def forward(self, images: Tensor) -> Tensor:
        means = images.mean(dim=(2, 3)) + self.shift
        return means / means.norm(dim=1, keepdim=True)


@pytest.mark.filterwarnings("ignore:`torch.jit.* is deprecated:FutureWarning")
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_parity_is_measured_for_one_two_and_many_images(noise: float, tmp_path: Path) -> None:
    path = describe(tmp_path / "net.torchscript")
    torch.jit.save(torch.jit.trace(ShiftedMean(noise), torch.zeros(2, 3, 8, 4)), str(path))
    reference = replace(made_up_embedder(SMALL), net=ShiftedMean(0.0))
    images = np.random.default_rng(0).integers(0, 256, (20, 8, 4, 3), dtype=np.uint8)
    parity = measure_parity(path, reference, images, "float32")
    assert [one.batch for one in parity] == [1, 2, 17]
    if noise:
        assert min(one.min_cosine for one in parity) < 0.99
        assert max(one.max_error for one in parity) > 0.05
    else:
        assert min(one.min_cosine for one in parity) > 0.999999
        assert max(one.max_error for one in parity) < 1e-5


@pytest.mark.parametrize(("precision", "least"), MIN_COSINE.items())
def test_each_precision_has_its_cosine(precision: str, least: float) -> None:
    good, bad = Parity(2, 0.1, least), Parity(17, 0.25, least - 1e-5)
    check_parity([good, good], precision, "a.onnx")
    for worst in (bad, replace(bad, min_cosine=float("nan"))):
        with pytest.raises(
            ArithmeticError, match=r"^a\.onnx was not written: at batch 17 .* difference 0\.25\)"
        ):
            check_parity([good, worst], precision, "a.onnx")
