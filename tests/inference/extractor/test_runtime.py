"""A network in torch, and bfloat16 kernels of the CPU that give garbage and must not reach a user."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor import runtime as module
from reid_gl.inference.extractor.runtime import TorchRuntime
from tests.tiny_checkpoint import coloured_crops

SMALL = Preprocessing(96, 32)
CROPS = np.stack(coloured_crops(3, size=(96, 32)))


class BrokenInShort(nn.Conv2d):
    """A convolution whose bfloat16 kernel is broken."""

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        output = super()._conv_forward(input, weight, bias)
        return output if output.dtype == torch.float32 else output * float("nan")


def network() -> nn.Module:
    return nn.Sequential(BrokenInShort(3, 8, 3), nn.AdaptiveAvgPool2d(1), nn.Flatten())


def test_automatic_precision_falls_back_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "choose_precision", lambda *_: torch.bfloat16)
    exact = TorchRuntime(network(), SMALL, device="cpu")
    assert "gives other numbers than float32 in net.0 at 96 x 32: computing in float32" in caplog.text
    assert np.isfinite(exact(CROPS)).all()


def test_a_precision_that_was_asked_for_is_refused() -> None:
    with pytest.raises(ValueError, match=r"torch.bfloat16 on this CPU gives .*: use precision float32"):
        TorchRuntime(network(), SMALL, device="cpu", precision="bfloat16")


@pytest.mark.parametrize("size", [(96, 32), (64, 32), (128, 64)])
def test_a_stride_to_one_column_gives_the_features_of_float32(size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    wide = nn.Sequential(nn.Conv2d(3, 256, 16, stride=16), nn.ReLU())
    net = nn.Sequential(
        wide, nn.Conv2d(256, 512, 3, stride=2, padding=1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    settings: dict[str, Any] = {"device": "cpu"}
    crops = np.stack(coloured_crops(3, size=size))
    expected = TorchRuntime(net, Preprocessing(*size), precision="float32", **settings)(crops)
    found = TorchRuntime(net, Preprocessing(*size), precision="auto", **settings)(crops)
    cosines = (
        (found * expected).sum(axis=1) / np.linalg.norm(found, axis=1) / np.linalg.norm(expected, axis=1)
    )
    assert cosines.min() > 0.99


class MeanColour(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))


def test_features_by_hand_of_images_as_they_are() -> None:
    preprocessing = Preprocessing(96, 32, mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.25))
    runtime = TorchRuntime(MeanColour(), preprocessing, device="cpu", precision="float32")
    expected = (CROPS.mean(axis=(1, 2)) / 255 - preprocessing.mean) / preprocessing.std
    np.testing.assert_allclose(runtime(CROPS), expected, atol=1e-5)
    assert (runtime.embedding_dim, runtime.device, runtime.preprocessing) == (3, "cpu", preprocessing)


def test_the_callers_network_stays_as_it_is() -> None:
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.AdaptiveAvgPool2d(1), nn.Flatten()).train()
    before = {name: value.clone() for name, value in net.state_dict().items()}
    TorchRuntime(net, SMALL, device="cpu", precision="float32")(CROPS)
    assert net.training
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


def test_a_single_tensor_cannot_be_concatenated() -> None:
    with pytest.raises(ValueError, match="gives one tensor: there is nothing to concatenate"):
        TorchRuntime(MeanColour(), SMALL, feature="concatenated", device="cpu", precision="float32")
