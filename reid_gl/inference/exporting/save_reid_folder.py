"""Write a network as a folder that Roboflow's `reid` loads."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.files import finished_or_nothing
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.inference.extractor.open_weights import stored_strategies
from reid_gl.inference.extractor.reid_folder import (
    CONFIG_FILE,
    OSNETS,
    TIMM,
    WEIGHTS_FILE,
    ReidConfig,
    config_beside,
    read_reid_config,
    write_reid_config,
)
from reid_gl.inference.strategies.settings import PLAIN
from reid_gl.models import load_net
from reid_gl.models.foreign import RESNETS, load_foreign
from reid_gl.models.reid_net import ReidNet
from reid_gl.models.safetensors_files import write_safetensors
from reid_gl.records import ReidOutput

SMALLEST_COSINE = 0.9999
NUM_COMPARED = 4


def save_reid_folder(
    weights: str | Path,
    folder: str | Path,
    *,
    architecture: str | None = None,
    preprocessing: Preprocessing | None = None,
) -> None:
    """Write weights.safetensors and reid_config.json, and check that they reproduce the network's features.

    `reid` supports torchreid's OSNets, and timm's networks with average pooling and nothing after it. Our own
    checkpoints fit if the backbone is one of timm's, or a ResNet with last stride 2, if pooling is average,
    and if the compared feature is the one before the neck.

    Args:
        weights: a state dict of torchreid or timm, with its architecture; a folder of `reid`; or a reid_gl
            checkpoint.
        folder: folder to create; it appears only when it is complete.
        architecture: network of a state dict: one of OSNETS, or "timm:" followed by a name of timm's.
        preprocessing: preprocessing of the network's input images; None takes that of the file, or the one
            that the project trains with. `reid` resizes with PIL: for a checkpoint with a kernel of OpenCV's,
            give its preprocessing with kernel="antialiased_linear", and expect slightly different features.

    Raises:
        FileExistsError: the folder exists.
        ValueError: `reid` does not support this network or preprocessing.
        FileNotFoundError, ImportError: as FeatureExtractor.
    """
    weights, folder = find_weights(weights), Path(folder)
    if folder.exists():
        raise FileExistsError(f"{folder} exists: choose another folder or remove this one")
    config_file = config_beside(weights)
    if config_file is not None:
        said = read_reid_config(config_file)
        architecture, preprocessing = architecture or said.architecture, preprocessing or said.preprocessing
    if architecture is None:
        net, config, tensors, feature = _own(weights)
    else:
        net, config, tensors, feature = _foreign(weights, architecture)
    config = replace(config, preprocessing=preprocessing or config.preprocessing)
    with finished_or_nothing(folder) as unfinished:
        write_reid_config(unfinished / CONFIG_FILE, config)
        write_safetensors(tensors, unfinished / WEIGHTS_FILE)
        again = load_foreign(unfinished / WEIGHTS_FILE, config.architecture).net
        _check(net, again, config, feature)


def _foreign(weights: Path, architecture: str) -> tuple[nn.Module, ReidConfig, dict[str, Tensor], str]:
    if architecture not in OSNETS and not architecture.startswith(TIMM):
        raise ValueError(
            f"reid has no network {architecture!r}: expected one of {', '.join(OSNETS)}, or {TIMM}<name>"
        )
    foreign = load_foreign(weights, architecture)
    preprocessing = Preprocessing(kernel="antialiased_linear", mean=foreign.mean, std=foreign.std)
    tensors = {
        name: value for name, value in foreign.net.state_dict().items() if not name.startswith("classifier.")
    }
    return foreign.net, ReidConfig(architecture, preprocessing), tensors, foreign.feature


def _own(weights: Path) -> tuple[nn.Module, ReidConfig, dict[str, Tensor], str]:
    loaded = load_net(weights)
    settings, strategies = loaded.net.settings, stored_strategies(loaded.checkpoint)
    architecture = f"{TIMM}{settings.backbone}" if settings.backbone in RESNETS else settings.backbone
    fits = (
        architecture.startswith(TIMM)
        and settings.last_stride == 2
        and settings.pooling == "average"
        and not settings.embedding_dim
        and strategies.settings == PLAIN
        and (strategies.feature == "before_neck" or settings.neck == "none")
    )
    if not fits:
        raise ValueError(
            f"{weights} is {settings.backbone}, stride {settings.last_stride}, {settings.pooling} pooling, "
            f"dimension {settings.embedding_dim}, compared {strategies.feature} {settings.neck}: "
            "reid has only timm's networks and ResNets with last stride 2, average pooling, no layer and no "
            "neck after it (TEST.FEATURE before_neck) and no test-time strategies; export it as onnx"
        )
    preprocessing = Preprocessing.from_dict(loaded.checkpoint["preprocessing"])
    tensors = dict(loaded.net.backbone.state_dict())
    return loaded.net, ReidConfig(architecture, preprocessing), tensors, strategies.feature


@torch.inference_mode()
def _check(net: nn.Module, again: nn.Module, config: ReidConfig, feature: str) -> None:
    """Compare features of noise; a difference means that `reid` builds the network in another way."""
    size = (config.preprocessing.height, config.preprocessing.width)
    images = torch.rand(NUM_COMPARED, 3, *size, generator=torch.Generator().manual_seed(0))
    ours, theirs = (_features(one.eval(), images, feature) for one in (net, again))
    is_comparable = ours.shape == theirs.shape
    cosine = float(torch.nn.functional.cosine_similarity(ours, theirs).min()) if is_comparable else 0.0
    if cosine < SMALLEST_COSINE:
        raise ValueError(
            f"{config.architecture} as built by reid gives other features than this network (cosine "
            f"{cosine:.4f}): export it as onnx"
        )


def _features(net: nn.Module, images: Tensor, feature: str) -> Tensor:
    output = net(images)
    if isinstance(output, ReidOutput):
        assert isinstance(net, ReidNet)
        named: Tensor = getattr(output, feature)
        return named
    rows: Tensor = output
    return rows
