from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.models
from torch import Tensor, nn

from reid_gl.models.backbones import make_backbone
from reid_gl.models.foreign import load_foreign
from reid_gl.models.foreign_report import ForeignNet
from reid_gl.models.recognize import UnknownWeightsError
from tests.models.made_up_tensors import make_up
from tests.reference.slow_public_networks import slow_resnet, slow_transformer
from tests.torchreid_quiet import import_torchreid_quietly

NAMES = ("resnet18", "squeezenet1_0_fc512", "shufflenet_v2_x0_5", "osnet_x0_25", "osnet_ain_x0_25")


def _images(height: int = 128, width: int = 64) -> Tensor:
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(0))


def _shake(net: nn.Module) -> nn.Module:
    """Statistics and weights as if trained: nothing is 0 or 1 any more."""
    random = torch.Generator().manual_seed(1)
    for name, value in net.state_dict().items():
        if value.ndim == 1 and value.is_floating_point():
            value.copy_(0.5 + torch.rand(value.shape, generator=random))
        if name.endswith("num_batches_tracked"):
            value.fill_(7)
    return net.eval()


def _save(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.pth.tar-60"


@pytest.fixture(scope="module")
def torchreid_models() -> Any:
    return import_torchreid_quietly("torchreid.reid.models")


@pytest.mark.parametrize("name", NAMES)
def test_torchreids_networks_give_torchreids_features(name: str, path: Path, torchreid_models: Any) -> None:
    theirs = _shake(torchreid_models.build_model(name, num_classes=9, pretrained=False, use_gpu=False))
    loaded = load_foreign(_save(path, theirs.state_dict()), name)
    with torch.inference_mode():
        assert torch.equal(loaded.net(_images()), theirs(_images()))
    assert loaded.report.project == "torchreid"
    assert loaded.report.share == 1
    assert loaded.report.missing == loaded.report.unexpected == ()
    assert loaded.kernel == "antialiased_linear"


@pytest.mark.filterwarnings("ignore:.*upsample.* is deprecated", "ignore:Default grid_sample")
def test_hacnn_computes_where_its_images_are(path: Path, torchreid_models: Any) -> None:
    theirs = _shake(torchreid_models.build_model("hacnn", num_classes=9, pretrained=False, use_gpu=False))
    net = load_foreign(_save(path, theirs.state_dict()), "hacnn").net
    net.use_gpu = True  # type: ignore[assignment]  # as if another thread had used a GPU
    with torch.inference_mode():
        assert torch.equal(net(_images(160, 64)), theirs(_images(160, 64)))


@pytest.mark.usefixtures("torchreid_models")
def test_every_network_of_torchreid_is_known(path: Path) -> None:
    _save(path, {"conv1.weight": torch.zeros(1)})
    with pytest.raises(ValueError, match=r"no network 'osnet_x1': did you mean 'osnet_x1_0'\?") as caught:
        load_foreign(path, "osnet_x1")
    assert len(str(caught.value).split("It has ")[1].split(", ")) == 49


def test_a_checkpoint_as_torchreids_training_writes_it(path: Path, torchreid_models: Any) -> None:
    from torchreid.reid.utils import save_checkpoint

    theirs = _shake(torchreid_models.build_model("osnet_x0_25", num_classes=4, pretrained=False))
    optimizer = torch.optim.Adam(theirs.parameters(), amsgrad=True)
    state = {
        "state_dict": {f"module.{name}": value for name, value in theirs.state_dict().items()},
        "epoch": 60,
        "rank1": np.float32(0.94),
        "optimizer": optimizer.state_dict(),
        "scheduler": torch.optim.lr_scheduler.MultiStepLR(optimizer, [20, 40]).state_dict(),
    }
    save_checkpoint(state, str(path.parent))
    loaded = load_foreign(path, "osnet_x0_25")
    with torch.inference_mode():
        assert torch.equal(loaded.net(_images()), theirs(_images()))


@pytest.mark.parametrize("number", [np.float32(0.5), np.float64(0.5)])
def test_numbers_of_numpy_1_in_the_old_format(number: Any, path: Path) -> None:
    content = {"state_dict": _fastreid_tensors(), "rank1": number}
    torch.save(content, path, _use_new_zipfile_serialization=False)
    written = path.read_bytes().replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert b"cnumpy.core.multiarray\nscalar" in written  # as NumPy 1 writes it
    path.write_bytes(written)
    assert load_foreign(path, "resnet18").report.share == 1


def _resnet(name: str, *, has_relu: bool, maxpool: nn.Module) -> nn.Module:
    """The convolutions of a baseline as its project writes them, from torchvision's blocks."""
    resnet = torchvision.models.get_model(name, weights=None)
    block: Any = resnet.layer4[0]
    for convolution in (block.conv1 if name == "resnet18" else block.conv2, block.downsample[0]):
        convolution.stride = (1, 1)
    stem = [resnet.conv1, resnet.bn1, *([nn.ReLU()] if has_relu else []), maxpool]
    _shake(resnet)
    network = nn.Sequential(*stem, resnet.layer1, resnet.layer2, resnet.layer3, resnet.layer4).eval()
    network.names = {  # type: ignore[assignment]
        key: value for key, value in resnet.state_dict().items() if not key.startswith("fc.")
    }
    return network


def _baseline(
    name: str, prefix: str, neck: str, *, has_relu: bool, maxpool: nn.Module
) -> tuple[dict[str, Tensor], nn.Module, nn.BatchNorm1d]:
    network: Any = _resnet(name, has_relu=has_relu, maxpool=maxpool)
    width = 512 if name == "resnet18" else 2048
    normalization = _shake(nn.BatchNorm1d(width))
    tensors = {f"{prefix}.{key}": value for key, value in network.names.items()}
    tensors |= {f"{neck}.{key}": value for key, value in normalization.state_dict().items()}
    return tensors, network, normalization  # type: ignore[return-value]


def _feature(loaded: ForeignNet) -> Tensor:
    with torch.inference_mode():
        return getattr(loaded.net(_images()), loaded.feature)


@pytest.mark.parametrize("name", ["resnet18", "resnet50"])
def test_the_strong_baseline_has_no_relu_in_its_stem(name: str, path: Path) -> None:
    maxpool = nn.MaxPool2d(3, 2, padding=1)
    tensors, network, neck = _baseline(name, "base", "bottleneck", has_relu=False, maxpool=maxpool)
    tensors["classifier.weight"] = torch.zeros(751, neck.num_features)
    loaded = load_foreign(_save(path, tensors), name)
    with torch.inference_mode():
        expected = neck(network(_images()).mean(dim=(2, 3)))
    assert torch.allclose(_feature(loaded), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert (loaded.report.project, loaded.report.share, loaded.kernel) == (
        "reid-strong-baseline",
        1,
        "antialiased_linear",
    )
    assert loaded.report.missing == loaded.report.unexpected == ()


def test_the_strong_baseline_without_a_neck(path: Path) -> None:
    maxpool = nn.MaxPool2d(3, 2, padding=1)
    tensors, network, _ = _baseline("resnet18", "module.base", "none", has_relu=False, maxpool=maxpool)
    tensors = {key: value for key, value in tensors.items() if not key.startswith("none")}
    tensors |= {"module.classifier.weight": torch.zeros(4, 512), "module.classifier.bias": torch.zeros(4)}
    loaded = load_foreign(_save(path, {"model": tensors}), "resnet18")
    with torch.inference_mode():
        expected = network(_images()).mean(dim=(2, 3))
    assert torch.allclose(_feature(loaded), expected, rtol=1e-4, atol=1e-4 * float(expected.max()))


@pytest.mark.parametrize("has_exponent", [True, False])
@pytest.mark.parametrize("release", ["0.1", "1.0", "1.3"])
def test_fastreid(release: str, has_exponent: bool, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    neck_name = "heads.bnneck" if release == "0.1" else "heads.bottleneck.0"
    maxpool = nn.MaxPool2d(3, 2, padding=1) if release == "0.1" else nn.MaxPool2d(3, 2, ceil_mode=True)
    tensors, network, neck = _baseline("resnet18", "backbone", neck_name, has_relu=True, maxpool=maxpool)
    tensors["heads.weight" if release == "1.3" else "heads.classifier.weight"] = torch.zeros(751, 512)
    if release != "1.3":
        tensors["pixel_mean"] = torch.tensor([0.0, 127.5, 255.0]).view(1, 3, 1, 1)
        tensors["pixel_std"] = torch.tensor([51.0, 51.0, 102.0]).view(1, 3, 1, 1)
    if has_exponent:
        tensors["heads.pool_layer.p"] = torch.tensor([2.5])
    loaded = load_foreign(_save(path, {"model": tensors, "iteration": 3}), "resnet18")
    with torch.inference_mode():
        maps = network(_images())
        power = 2.5 if has_exponent else 1.0
        expected = neck(maps.clamp_min(1e-6).pow(power).mean(dim=(2, 3)).pow(1 / power))
    assert torch.allclose(_feature(loaded), expected, rtol=1e-4, atol=1e-4 * float(expected.abs().max()))
    assert (loaded.report.project, loaded.report.share, loaded.kernel) == (
        "fast-reid",
        1,
        "antialiased_cubic",
    )
    assert loaded.report.missing == loaded.report.unexpected == ()
    imagenet = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected_colors = imagenet if release == "1.3" else ((0, 0.5, 1), (0.2, 0.2, 0.4))
    assert (loaded.mean, loaded.std) == (pytest.approx(expected_colors[0]), pytest.approx(expected_colors[1]))
    assert ("no exponent of GeM pooling: average pooling is assumed" in caplog.text) != has_exponent


def _fastreid_tensors() -> dict[str, Tensor]:
    maxpool = nn.MaxPool2d(3, 2, ceil_mode=True)
    return _baseline("resnet18", "backbone", "heads.bottleneck.0", has_relu=True, maxpool=maxpool)[0]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "backbone.layer1.0.bn1.IN.weight",
            "has IBN layers: give the architecture resnet18_ibn_a",
        ),
        ("backbone.NL_2.0.g.weight", r"NL_2\.0\.g\.weight of a non-local block has 1 axes, expected 4"),
        ("backbone.layer1.0.se.fc.0.weight", "has squeeze-and-excitation layers .*, which are not supported"),
    ],
)
def test_other_layers_are_refused_by_name(name: str, message: str, path: Path) -> None:
    _save(path, {**_fastreid_tensors(), name: torch.zeros(3)})
    with pytest.raises(ValueError, match=message):
        load_foreign(path, "resnet18")


def test_other_heads_and_architectures_are_refused(path: Path) -> None:
    tensors = _fastreid_tensors()
    _save(path, tensors)
    with pytest.raises(ValueError, match=r"names of fast-reid, of which only resnet18, .* got 'osnet_x1_0'"):
        load_foreign(path, "osnet_x1_0")
    _save(path, {**tensors, "heads.bottleneck.0.weight": torch.zeros(256, 512, 1, 1)})
    with pytest.raises(ValueError, match="reduces the embedding by a convolution"):
        load_foreign(path, "resnet18")


def test_the_strong_baseline_with_ibn_has_a_relu_in_its_stem(path: Path) -> None:
    with torch.device("meta"):
        shapes = make_backbone("resnet50_ibn_a")[0].state_dict()
    backbone, neck = make_up(shapes), _shake(nn.BatchNorm1d(2048))
    tensors = {f"base.{key}": value for key, value in backbone.items()}
    tensors |= {f"bottleneck.{key}": value for key, value in neck.state_dict().items()}
    loaded = load_foreign(_save(path, tensors))
    with torch.inference_mode():
        expected = neck(slow_resnet(backbone, _images()).mean(dim=(2, 3)))
    assert float((_feature(loaded) - expected).norm() / expected.norm()) < 1e-4
    assert (loaded.architecture, loaded.height) == ("bagtricks_resnet50_ibn_a", 256)


def test_transreids_plain_transformer_before_its_neck(path: Path) -> None:
    timm = pytest.importorskip("timm")
    with torch.device("meta"):
        net = timm.create_model("deit_small_patch16_224", img_size=(256, 128), num_classes=0)
    tensors = make_up(net.state_dict())
    extra = {"base.fc.weight": torch.zeros(9, 384), "bottleneck.weight": torch.zeros(384)}
    _save(path, {**{f"base.{key}": value for key, value in tensors.items()}, **extra})
    loaded = load_foreign(path)
    images = _images(256, 128)
    with torch.inference_mode():
        expected = slow_transformer(tensors, images, num_heads=6)
        assert float((loaded.net(images) - expected).norm() / expected.norm()) < 1e-4
    assert (loaded.architecture, loaded.height, loaded.width) == ("transreid_deit_small", 256, 128)
    assert (loaded.feature, loaded.mean, loaded.std) == ("before_neck", (0.5,) * 3, (0.5,) * 3)
    tensors["pos_embed"] = torch.zeros(1, 211, 384)  # overlapping patches
    _save(path, {f"base.{key}": value for key, value in tensors.items()})
    with pytest.raises(ValueError, match="has 210 patches: only patches of 16 x 16 without overlap"):
        load_foreign(path)
    with pytest.raises(ValueError, match="cannot be opened as 'osnet_x1_0' of TransReID: expected"):
        load_foreign(path, "osnet_x1_0")


def test_a_recognised_network_must_be_whole(path: Path, torchreid_models: Any) -> None:
    tensors = {**_fastreid_tensors(), "heads.bottleneck.0.weight": torch.ones(512)}
    tensors = {key.replace("backbone.", "base."): value for key, value in tensors.items()}
    tensors = {key.replace("heads.bottleneck.0.", "bottleneck."): value for key, value in tensors.items()}
    assert load_foreign(_save(path, tensors)).architecture == "bagtricks_resnet18"
    del tensors["base.layer2.0.bn1.bias"]
    with pytest.raises(ValueError, match=r"looks like bagtricks_resnet18 but lacks backbone\.layer2"):
        load_foreign(_save(path, tensors))
    assert load_foreign(path, "resnet18").report.missing == ("backbone.layer2.0.bn1.bias",)
    with pytest.raises(UnknownWeightsError, match="is not recognised"):
        load_foreign(_save(path, {"conv1.weight": torch.zeros(1)}))


def test_almost_everything_is_said_and_less_is_refused(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    tensors = _fastreid_tensors()
    counted = [name for name in tensors if not name.endswith("num_batches_tracked")]
    without_counts = {name: tensors[name] for name in counted}
    assert load_foreign(_save(path, without_counts), "resnet18").report.share == 1  # as old torch wrote them
    assert f"{len(counted)} of {len(counted)} tensors of the network are filled" in caplog.text
    lost = counted[:5]
    rest = {name: value for name, value in without_counts.items() if name not in lost}
    rest["heads.new.weight"] = torch.zeros(2)
    report = load_foreign(_save(path, rest), "resnet18").report
    assert report.missing == tuple(lost_name for lost_name in lost)
    assert report.unexpected == ("heads.new.weight",)
    assert report.share == pytest.approx(1 - 5 / len(counted))
    assert len(report.loaded) == len(counted) - 5
    assert "5 missing (backbone.conv1.weight, backbone.bn1.weight, backbone.bn1.bias, ...)" in caplog.text
    for name in counted[5:14]:
        del rest[name]
    with pytest.raises(ValueError, match=r"14 missing \(backbone\.conv1\.weight, .*another architecture"):
        load_foreign(_save(path, rest), "resnet18")
    with pytest.raises(ValueError, match="made for another architecture"):
        load_foreign(_save(path, tensors), "resnet50")


def test_the_global_random_state_is_left_alone(path: Path) -> None:
    _save(path, _fastreid_tensors())
    before = torch.get_rng_state()
    load_foreign(path, "resnet18")
    assert torch.equal(torch.get_rng_state(), before)


def test_files_that_are_no_weights(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"weights .*model\.pth\.tar-60 do not exist"):
        load_foreign(path, "resnet18")
    with pytest.raises(ValueError, match="holds no state dict: expected names and tensors"):
        load_foreign(_save(path, {"epoch": 3}), "resnet18")
