"""Weights that torchreid, timm, reid-strong-baseline, fast-reid, TransReID and SOLIDER trained."""

from __future__ import annotations

import difflib
import logging
import re
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from reid_gl.models.backbones import import_torchreid_models
from reid_gl.models.fastreid import (
    AGW_EXPONENT,
    EXPONENT,
    NON_LOCAL,
    PREFIX,
    RECIPES,
    RESNESTS,
    make_fastreid_backbone,
)
from reid_gl.models.foreign_report import IMAGENET_MEAN, IMAGENET_STD, Colors, ForeignNet, fill_network
from reid_gl.models.public_weights import HALVES, PUBLIC_WEIGHTS
from reid_gl.models.recognize import recognize
from reid_gl.models.reid_net import NetSettings, ReidNet
from reid_gl.models.solider import FIRST_TENSOR, SIZE, SWINS, SoliderSwin, convert_solider
from reid_gl.models.solider import PREFIX as SOLIDER
from reid_gl.models.state_dicts import read_state_dict
from reid_gl.models.state_names import Tensors
from reid_gl.models.timm_backbones import is_timm, make_timm_network, make_timm_transformer

logger = logging.getLogger(__name__)

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
IBN_ENDING = "_ibn_a"
BASELINES = (*RESNETS, *(f"{name}{IBN_ENDING}" for name in RESNETS))
"""Backbones of reid-strong-baseline and fast-reid."""
BAGTRICKS, TRANSREID = "bagtricks_", "transreid_"
"""Beginnings of the architectures of reid-strong-baseline and TransReID."""
TRANSFORMERS = {"vit_base": "vit_base_patch16_224", "deit_small": "deit_small_patch16_224"}
"""TransReID's transformers, and timm's with the same tensors."""
PATCH = 16
GRIDS = {16 * 8: (256, 128), 24 * 8: (384, 128)}
"""Input sizes of TransReID by the number of patches of 16 x 16."""
UNKNOWN_LAYERS = {r"\.se(_module)?\.": "squeeze-and-excitation layers"}
"""Layers that reid-strong-baseline and fast-reid may add to a ResNet, by patterns of their tensor names."""


def load_foreign(path: Path, architecture: str | None = None) -> ForeignNet:
    """Build another project's network and load a state dict into it; no code in the file is executed.

    The keys of the state dict tell which project it comes from. reid-strong-baseline and fast-reid store
    neither the last stride nor a pooling without parameters. This function assumes stride 1 and the pooling
    of their published settings.

    Args:
        path: .safetensors, or a file of torch.save that holds a state dict, directly or under one of the
            keys in CONTAINERS.
        architecture: one of PUBLIC_WEIGHTS; one of torchreid's networks; "timm:" and a network of timm, with
            timm's own pooling; or, for the two baselines, one of BASELINES. None recognises the tensors.

    Raises:
        FileNotFoundError: no such file.
        UnknownWeightsError: no architecture is given, and the tensors are not recognised.
        ValueError: the file holds Python objects, the network or a layer is unknown, the tensors fit two
            networks, or less than MIN_SHARE of the network was filled; if recognised, less than all of it.
        ImportError: the network needs torchreid or timm, which is not installed.
    """
    tensors = read_state_dict(path)
    known = recognize(tensors, str(path)).architecture if architecture is None else architecture
    with torch.random.fork_rng(devices=[]):  # random initial weights, replaced below
        torch.manual_seed(0)
        found = _load(path, tensors, known)
    if architecture is None:
        if found.report.missing:
            raise ValueError(
                f"{path} looks like {known} but lacks {', '.join(found.report.missing[:3])}: give the "
                "architecture, if it is another network"
            )
        logger.info("%s is recognised as %s of %s", path, known, found.report.project)
    return _with_published_size(found)


def _load(path: Path, tensors: Tensors, architecture: str) -> ForeignNet:
    if is_timm(architecture):
        net = make_timm_network(architecture)
        report = fill_network(net, tensors, str, project="timm", path=path)
        return ForeignNet(net.eval(), architecture, "after_neck", "antialiased_linear", report)
    if architecture.startswith(TRANSREID) or "base.cls_token" in tensors:
        return _load_transreid(path, tensors, architecture)
    if architecture.startswith(SOLIDER) or FIRST_TENSOR in tensors:
        return _load_solider(path, tensors, architecture)
    if architecture.startswith(PREFIX) or any(name.startswith("heads.") for name in tensors):
        return _load_fastreid(path, tensors, architecture)
    if architecture.startswith(BAGTRICKS) or any(name.startswith("base.") for name in tensors):
        return _load_strong_baseline(path, tensors, architecture)
    return _load_torchreid(path, tensors, architecture)


def _with_published_size(found: ForeignNet) -> ForeignNet:
    """Take the input size of the project's published network, if there is one of this name."""
    for known in PUBLIC_WEIGHTS:
        if (
            known.architecture == found.architecture
            and known.project == found.report.project
            and known.height
        ):
            return replace(found, height=known.height, width=known.width)
    return found


def _load_torchreid(path: Path, tensors: Tensors, architecture: str) -> ForeignNet:
    models = import_torchreid_models()
    known = [*vars(models)["__model_factory"]]
    if architecture not in known:
        near = difflib.get_close_matches(architecture, known, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"torchreid has no network {architecture!r}: {hint}It has {', '.join(known)}")
    net: nn.Module = models.build_model(architecture, num_classes=1, pretrained=False, use_gpu=False)
    if hasattr(net, "use_gpu"):  # hacnn creates tensors inside forward, on the GPU if use_gpu is set
        net.register_forward_pre_hook(_note_device)
    report = fill_network(net, tensors, str, project="torchreid", path=path)
    return ForeignNet(net.eval(), architecture, "after_neck", "antialiased_linear", report)


def _note_device(net: nn.Module, inputs: tuple[Tensor]) -> None:
    net.use_gpu = inputs[0].is_cuda  # type: ignore[assignment]


def _load_strong_baseline(path: Path, tensors: Tensors, architecture: str) -> ForeignNet:
    project, backbone = "reid-strong-baseline", architecture.removeprefix(BAGTRICKS)
    _check_resnet(path, tensors, backbone, project)
    neck = "bnneck" if "bottleneck.weight" in tensors else "none"
    net = ReidNet(NetSettings(backbone, num_classes=1, neck=neck))
    if not backbone.endswith(IBN_ENDING):
        net.backbone.relu = nn.Identity()  # its plain stem has no ReLU between normalisation and pooling

    def rename(name: str) -> str:
        return re.sub(r"^base\.", "backbone.", re.sub(r"^bottleneck\.", "neck.", name))

    report = fill_network(net, tensors, rename, project=project, path=path)
    return ForeignNet(net.eval(), architecture, "after_neck", "antialiased_linear", report)


def _load_transreid(path: Path, tensors: Tensors, architecture: str) -> ForeignNet:
    """Build the plain transformer of TransReID, which compares the class token before its neck."""
    name, positions = TRANSFORMERS.get(architecture.removeprefix(TRANSREID)), tensors.get("base.pos_embed")
    if name is None or positions is None or positions.ndim != 3:
        raise ValueError(
            f"{path} cannot be opened as {architecture!r} of TransReID: expected base.pos_embed and one of "
            f"{', '.join(TRANSREID + known for known in TRANSFORMERS)}"
        )
    size = GRIDS.get(positions.shape[1] - 1)
    if size is None:
        sizes = " or ".join(f"{height} x {width}" for height, width in GRIDS.values())
        raise ValueError(
            f"{path} has {positions.shape[1] - 1} patches: only patches of {PATCH} x {PATCH} without overlap "
            f"are supported, of images of {sizes}"
        )
    net = make_timm_transformer(name, size)
    wanted = net.state_dict()
    own = {key: value for key, value in tensors.items() if key.removeprefix("base.") in wanted}
    report = fill_network(net, own, lambda key: key.removeprefix("base."), project="TransReID", path=path)
    return ForeignNet(net.eval(), architecture, "before_neck", "antialiased_linear", report, *HALVES, *size)


def _load_solider(path: Path, tensors: Tensors, architecture: str) -> ForeignNet:
    """Build a Swin transformer of SOLIDER, which compares its feature before the neck."""
    name = architecture.removeprefix(SOLIDER)
    if name not in SWINS:
        raise ValueError(
            f"{path} has the names of SOLIDER, of which {', '.join(SOLIDER + known for known in SWINS)} are "
            f"supported, got {architecture!r}"
        )
    net = SoliderSwin(name)
    report = fill_network(net, convert_solider(tensors), str, project="SOLIDER", path=path)
    return ForeignNet(net.eval(), architecture, "before_neck", "antialiased_linear", report, *HALVES, *SIZE)


def _load_fastreid(path: Path, tensors: Tensors, architecture: str) -> ForeignNet:
    backbone = architecture
    if architecture.startswith(PREFIX):
        recipe, _, backbone = architecture.removeprefix(PREFIX).partition("_")
        if recipe not in RECIPES:
            raise ValueError(
                f"unknown settings {recipe!r} of fast-reid: expected one of {', '.join(RECIPES)}"
            )
    else:
        recipe = "agw" if any(NON_LOCAL.fullmatch(name) for name in tensors) else ""
    _check_resnet(path, tensors, backbone, "fast-reid")
    neck_name = "heads.bnneck" if "heads.bnneck.weight" in tensors else "heads.bottleneck.0"
    if any(name.startswith("heads.bottleneck.") and value.ndim == 4 for name, value in tensors.items()):
        raise ValueError(f"{path} reduces the embedding by a convolution in its head, which is not supported")
    exponent = next((name for name in tensors if EXPONENT.fullmatch(name)), "")
    if not exponent and not recipe:
        logger.warning("%s has no exponent of GeM pooling: average pooling is assumed", path)
    neck = "bnneck" if f"{neck_name}.weight" in tensors else "none"
    pooling = "gem" if exponent or recipe == "agw" else "average"
    settings = NetSettings(backbone, 1, neck=neck, pooling=pooling, gem_exponent=AGW_EXPONENT)
    has_padded_stem = neck_name == "heads.bnneck"  # from release 1.0 on, the stem's pooling has no padding
    net = ReidNet(settings, make_fastreid_backbone(backbone, tensors, has_padded_stem=has_padded_stem))
    if pooling == "gem" and not exponent:
        exponent = "pooling.exponent"  # AGW's is fixed
        tensors = {**tensors, exponent: torch.tensor(AGW_EXPONENT)}

    def rename(name: str) -> str:
        if name.startswith(("heads.classifier.", "heads.weight", "heads.cls_layer.")):
            return "classifier."
        return {exponent: "pooling.exponent"}.get(name, re.sub(f"^{re.escape(neck_name)}", "neck", name))

    colors = {name: value for name, value in tensors.items() if name in ("pixel_mean", "pixel_std")}
    rest = {name: value for name, value in tensors.items() if name not in colors}
    report = fill_network(net, rest, rename, project="fast-reid", path=path)
    mean = _colors(colors.get("pixel_mean"), IMAGENET_MEAN)
    std = _colors(colors.get("pixel_std"), IMAGENET_STD)
    return ForeignNet(net.eval(), architecture, "after_neck", "antialiased_cubic", report, mean, std)


def _colors(stored: Tensor | None, otherwise: Colors) -> Colors:
    """Convert fast-reid's mean or standard deviation from pixels in [0, 255] to [0, 1]."""
    if stored is None:
        return otherwise
    red, green, blue = (stored.double().flatten() / 255).tolist()
    return red, green, blue


def _check_resnet(path: Path, tensors: Tensors, backbone: str, project: str) -> None:
    known = (*BASELINES, *RESNESTS) if project == "fast-reid" else BASELINES
    if backbone not in known:
        raise ValueError(
            f"{path} has the names of {project}, of which only {', '.join(known)} are supported, got "
            f"{backbone!r}"
        )
    for pattern, layers in UNKNOWN_LAYERS.items():
        name = next((name for name in tensors if re.search(pattern, name)), None)
        if name:
            raise ValueError(f"{path} has {layers} ({name}), which are not supported in ResNets of {project}")
    has_ibn = any(".bn1.IN." in name for name in tensors)
    if has_ibn != backbone.endswith(IBN_ENDING):
        other = backbone.removesuffix(IBN_ENDING) if not has_ibn else f"{backbone}{IBN_ENDING}"
        raise ValueError(
            f"{path} has {'' if has_ibn else 'no '}IBN layers: give the architecture {other}, got {backbone}"
        )
