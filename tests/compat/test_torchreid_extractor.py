from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from reid_gl.compat import TorchreidFeatureExtractor
from reid_gl.compat import torchreid_extractor as module
from reid_gl.data.loading.images import UnreadableImageError, read_image
from tests.conftest import WriteNoise
from tests.torchreid_quiet import import_torchreid_quietly

NAME = "osnet_x0_25"
SIZES = ((128, 64), (211, 90), (40, 17), (128, 70), (300, 200))


@pytest.fixture(scope="module")
def peer() -> Any:
    return import_torchreid_quietly("torchreid.reid.utils").FeatureExtractor


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, peer: Any) -> str:
    net = import_torchreid_quietly("torchreid.reid.models").build_model(NAME, 5, pretrained=False)
    random = torch.Generator().manual_seed(0)
    for value in net.state_dict().values():
        if value.ndim == 1:
            value.copy_(0.5 + torch.rand(value.shape, generator=random))
    path = tmp_path_factory.mktemp("weights") / "model.pth.tar"
    torch.save(net.state_dict(), path)
    return str(path)


def _both(peer: Any, weights: str, **settings: Any) -> tuple[Any, TorchreidFeatureExtractor]:
    settings = {"image_size": (128, 64), "device": "cpu", "verbose": False, **settings}
    return peer(NAME, weights, **settings), TorchreidFeatureExtractor(NAME, weights, **settings)


@pytest.fixture(scope="module")
def ours(weights: str) -> TorchreidFeatureExtractor:
    return TorchreidFeatureExtractor(NAME, weights, (128, 64), device="cpu", verbose=False)


@pytest.fixture
def paths(write_noise: WriteNoise) -> list[str]:
    return [str(write_noise(f"{seed}.jpg", seed=seed, size=size)) for seed, size in enumerate(SIZES)]


def _agree(ours: Tensor, theirs: Tensor) -> bool:
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert ours.device == theirs.device
    return torch.allclose(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.abs().max()))


@pytest.mark.parametrize("pixel_norm", [True, False])
def test_gives_torchreids_features(peer: Any, weights: str, paths: list[str], pixel_norm: bool) -> None:
    colors = {"pixel_mean": [0.4, 0.5, 0.6], "pixel_std": [0.3, 0.2, 0.1]}
    theirs, ours = _both(peer, weights, pixel_norm=pixel_norm, **colors)
    arrays = [read_image(path) for path in paths]
    for sources in (paths, arrays, [paths[0], arrays[1]], paths[2], arrays[2]):
        expected, features = theirs(sources), ours(sources)
        assert _agree(features, expected)
        assert torch.nn.functional.cosine_similarity(features, expected).min() > 0.99999
    images = torch.randn(3, 3, 96, 48, generator=torch.Generator().manual_seed(0))  # any size, as it stands
    assert _agree(ours(images), theirs(images))
    assert _agree(ours(images[0]), theirs(images[0]))


def test_the_signature_is_torchreids(peer: Any) -> None:
    theirs = inspect.signature(peer).parameters
    ours = inspect.signature(TorchreidFeatureExtractor).parameters
    assert list(ours) == list(theirs)
    for name, parameter in theirs.items():
        default = ours[name].default
        assert (list(default) if isinstance(parameter.default, list) else default) == parameter.default


def test_any_number_of_images(
    ours: TorchreidFeatureExtractor, paths: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = ours(paths)
    images = torch.randn(5, 3, 64, 32, generator=torch.Generator().manual_seed(0))
    whole_images = ours(images)
    monkeypatch.setattr(module, "BATCH_SIZE", 2)
    assert torch.allclose(ours(paths), whole, atol=1e-5 * float(whole.abs().max()))
    assert torch.allclose(ours(images), whole_images, atol=1e-5 * float(whole_images.abs().max()))
    for nothing in ([], torch.empty(0, 3, 64, 32)):
        assert ours(nothing).shape == (0, whole.shape[1])
        assert ours(nothing).dtype == torch.float32


def test_features_are_ordinary_tensors_of_no_fixed_length(
    ours: TorchreidFeatureExtractor, paths: list[str]
) -> None:
    features = ours(paths)
    assert not features.is_inference()
    assert not features.requires_grad
    assert (torch.linalg.vector_norm(features, dim=1) - 1).abs().min() > 0.01
    features /= torch.linalg.vector_norm(features, dim=1, keepdim=True)


def test_grey_and_transparent_images(ours: TorchreidFeatureExtractor) -> None:
    grey = np.random.default_rng(0).integers(0, 256, (50, 30), dtype=np.uint8)
    expected = ours(np.repeat(grey[..., None], 3, axis=2))
    with_alpha = np.concatenate([np.repeat(grey[..., None], 3, axis=2), grey[..., None]], axis=2)
    for image in (grey, grey[..., None], with_alpha):
        assert torch.equal(ours(image), expected)


def test_files_are_decoded_as_everywhere_here(ours: TorchreidFeatureExtractor, tmp_path: Path) -> None:
    """Where torchreid leaves images lying and clips 16 bits to white."""
    exif = Image.Exif()
    exif[0x0112] = 6
    upright = np.random.default_rng(0).integers(0, 256, (128, 64, 3), dtype=np.uint8)
    Image.fromarray(np.ascontiguousarray(np.rot90(upright))).save(tmp_path / "lying.png", exif=exif)
    Image.fromarray(upright[..., 0].astype(np.uint16) << 4).save(tmp_path / "deep.png")
    features = ours([str(tmp_path / "lying.png"), str(tmp_path / "deep.png")])
    assert torch.equal(features, ours([upright, upright[..., 0]]))


def test_without_cuda_it_says_so_and_goes_on(
    weights: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    caplog.set_level("INFO")
    extractor = TorchreidFeatureExtractor(NAME, weights, (64, 32))
    assert extractor.device == torch.device("cpu")
    assert "device cuda is not available here: features are computed on the CPU" in caplog.text
    assert "osnet_x0_25 has 2" in caplog.text


def test_errors(ours: TorchreidFeatureExtractor, weights: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="model_path is empty: give a file of weights"):
        TorchreidFeatureExtractor(NAME)
    with pytest.raises(FileNotFoundError, match=r"weights none\.pth do not exist"):
        TorchreidFeatureExtractor(NAME, "none.pth", device="cpu")
    with pytest.raises(ValueError, match="torchreid has no network 'osnet'"):
        TorchreidFeatureExtractor("osnet", weights, device="cpu")
    with pytest.raises(TypeError, match=r"normalised floats .* got torch\.uint8 \(2, 3, 8, 8\)"):
        ours(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(TypeError, match="image 64 is a int: expected a path or an array of uint8"):
        ours([np.zeros((4, 4, 3), np.uint8)] * 64 + [3])  # type: ignore[list-item]
    with pytest.raises(TypeError, match=r"image 0 must be an array of uint8 .* got float64"):
        ours(np.zeros((4, 4, 3)))  # type: ignore[arg-type]
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"")
    with pytest.raises(UnreadableImageError, match=r"broken\.jpg is empty"):
        ours(str(broken))
