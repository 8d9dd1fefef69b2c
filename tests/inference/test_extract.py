from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from reid_gl.data.loading.images import UnreadableImageError, read_image
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extract import extract_features
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.models import NetSettings, ReidNet
from reid_gl.records import Features, Sample
from tests.conftest import MakeSamples
from tests.reference.slow_inference import slow_beta_normalize

SMALL = Preprocessing(height=32, width=16)


class _MeanColour(nn.Module):
    """(N, 3): the mean of each channel; without parameters."""

    def forward(self, images: Tensor) -> Tensor:
        return images.mean(dim=(2, 3))


class _Fixed(nn.Module):
    """The same output whatever comes in, as many rows as there are images."""

    def __init__(self, row: list[float]) -> None:
        super().__init__()
        self.row = nn.Parameter(torch.tensor(row))

    def forward(self, images: Tensor) -> Tensor:
        return self.row.repeat(len(images), 1)


@pytest.fixture
def samples(make_samples: MakeSamples) -> list[Sample]:
    return make_samples(*((pid, pid % 3 - 1) for pid in (5, 3, 9, -1, 0, 3, 7)))


@pytest.fixture(scope="module")
def net() -> ReidNet:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return ReidNet(NetSettings("resnet18", 4)).eval()


def _extract(net: nn.Module, samples: list[Sample], **settings: Any) -> Features:
    return extract_features(net, samples, **{"preprocessing": SMALL, **settings})


def test_features_by_hand_in_the_samples_order(samples: list[Sample]) -> None:
    features = _extract(_MeanColour(), samples, batch_size=3)
    expected = []
    for sample in samples:
        mean = read_image(sample.path).mean(axis=(0, 1)) / 255  # the files have the input's size
        expected.append((mean - SMALL.mean) / SMALL.std)
    assert np.allclose(features.embeddings, expected, atol=1e-5)
    assert features.embeddings.dtype == np.float32
    assert features.pids.tolist() == [5, 3, 9, -1, 0, 3, 7]
    assert features.camids.tolist() == [sample.camid for sample in samples]
    assert features.paths == tuple(sample.path for sample in samples)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with one core
@pytest.mark.parametrize(
    "settings", [{"batch_size": 1}, {"batch_size": 4}, {"batch_size": 64, "num_workers": 2}]
)
def test_neighbours_in_the_batch_change_nothing(
    net: ReidNet, samples: list[Sample], settings: dict[str, int]
) -> None:
    whole = _extract(net, samples, batch_size=7).embeddings
    assert whole.shape == (7, 512)
    assert np.abs(_extract(net, samples, **settings).embeddings - whole).max() < 1e-5


def test_both_features_can_be_had(net: ReidNet, samples: list[Sample]) -> None:
    before, after = (
        _extract(net, samples, feature=name).embeddings for name in ("before_neck", "after_neck")
    )
    with torch.inference_mode():
        expected = net.neck(torch.from_numpy(before))
    assert not np.array_equal(before, after)
    assert np.allclose(after, expected, atol=1e-6)


def test_both_features_side_by_side_count_the_same(net: ReidNet, samples: list[Sample]) -> None:
    both, before, after = (
        _extract(net, samples, feature=name).embeddings
        for name in ("concatenated", "before_neck", "after_neck")
    )
    expected = [side / np.linalg.norm(side, axis=1, keepdims=True) for side in (before, after)]
    assert np.allclose(both, np.concatenate(expected, axis=1), atol=1e-6)


def test_switches_act_before_beta_and_in_bfloat16(net: ReidNet, samples: list[Sample]) -> None:
    switches = {"mixing": 0.5, "slope": 0.5, "flip": True, "num_crops": 5}
    settings: dict[str, Any] = {"feature": "before_neck", "inference": InferenceSettings(**switches)}
    features = _extract(net, samples, **settings).embeddings
    settings["inference"] = InferenceSettings(beta=0.01, **switches)
    with_beta = _extract(net, samples, **settings).embeddings
    expected = [slow_beta_normalize(row.tolist(), 0.01) for row in features]
    assert np.allclose(with_beta, expected, atol=1e-5)
    rough = _extract(net, samples, precision="bfloat16", **settings).embeddings
    assert rough.dtype == np.float32
    assert not np.array_equal(rough, with_beta)
    assert np.abs(rough - with_beta).max() < 0.05 * np.abs(with_beta).max()


def test_plain_modules_may_be_flipped_and_cropped(samples: list[Sample]) -> None:
    """A mean of colours does not change in the mirror; crops see the same noise, smoothed by the resize."""
    plain = _extract(_MeanColour(), samples).embeddings
    flipped = _extract(_MeanColour(), samples, inference=InferenceSettings(flip=True)).embeddings
    assert np.allclose(flipped, plain, atol=1e-5)
    cropped = _extract(_MeanColour(), samples, inference=InferenceSettings(num_crops=5)).embeddings
    assert 0 < np.abs(cropped - plain).max() < 0.3


def test_modes_weights_and_statistics_are_left_alone(samples: list[Sample]) -> None:
    net = ReidNet(NetSettings("resnet18", 4))
    net.train()
    net.backbone.eval()  # frozen, as in the first epochs of fine-tuning
    modes = [module.training for module in net.modules()]
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    _extract(net, samples)
    inference = InferenceSettings(mixing=0.5, slope=0.5, flip=True)
    _extract(net, samples, feature="before_neck", inference=inference)
    assert [module.training for module in net.modules()] == modes
    assert all(torch.equal(tensor, before[name]) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())
    _extract(net.eval(), samples)
    assert not any(module.training for module in net.modules())


def test_modes_come_back_after_an_error(samples: list[Sample]) -> None:
    net = _Fixed([1.0]).train()
    with pytest.raises(FileNotFoundError, match=r"image none\.jpg does not exist"):
        _extract(net, [*samples, replace(samples[0], path="none.jpg")])
    assert net.training


def test_bfloat16_is_near_and_comes_out_as_float32(net: ReidNet, samples: list[Sample]) -> None:
    exact = _extract(net, samples).embeddings
    rough = _extract(net, samples, precision="bfloat16").embeddings
    assert rough.dtype == np.float32
    assert not np.array_equal(rough, exact)
    cosines = (rough * exact).sum(axis=1) / np.linalg.norm(rough, axis=1) / np.linalg.norm(exact, axis=1)
    assert cosines.min() > 0.98


@pytest.mark.parametrize("is_terminal", [True, False])
def test_the_progress_bar_goes_to_stderr_if_somebody_watches(
    samples: list[Sample],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: is_terminal)
    _extract(_MeanColour(), samples, show_progress=True)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert ("7/7" in shown.err) == is_terminal
    _extract(_MeanColour(), samples)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_broken_features_name_their_images(samples: list[Sample], value: float) -> None:
    with pytest.raises(
        ValueError, match=r"NaN or infinite features for 7 of 7 images \(.*000\.jpg, .*001\.jpg, .*002"
    ):
        _extract(_Fixed([1.0, value]), samples)


def test_an_unreadable_image_is_named(samples: list[Sample]) -> None:
    with open(samples[2].path, "wb"):
        pass
    with pytest.raises(UnreadableImageError, match=r"002\.jpg is empty"):
        _extract(_MeanColour(), samples)


def test_errors(samples: list[Sample]) -> None:
    with pytest.raises(ValueError, match="there are no images to extract features from"):
        _extract(_MeanColour(), [])
    with pytest.raises(ValueError, match="unknown feature 'neck': expected one of before_neck, after_neck"):
        _extract(_MeanColour(), samples, feature="neck")
    with pytest.raises(ValueError, match=r"must give one feature \(N, D\) per image, got \(7, 3, 32, 16\)"):
        _extract(nn.Identity(), samples)
    with pytest.raises(ValueError, match="float16 needs a CUDA device"):
        _extract(_MeanColour(), samples, precision="float16")
    with pytest.raises(ValueError, match=r"mixing and slope need a ReidNet.*got _MeanColour"):
        _extract(_MeanColour(), samples, feature="before_neck", inference=InferenceSettings(mixing=0.5))
    with pytest.raises(ValueError, match="act on the feature before the neck"):
        _extract(_MeanColour(), samples, inference=InferenceSettings(beta=0.5))
