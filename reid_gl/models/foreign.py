"""Weights that torchreid, reid-strong-baseline and fast-reid trained."""

from __future__ import annotations

import difflib
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from reid_gl.models.backbones import import_torchreid_models
from reid_gl.models.reid_net import NetSettings, ReidNet
from reid_gl.models.state_dicts import read_state_dict
from reid_gl.models.state_names import Tensors
from reid_gl.models.timm_backbones import is_timm, make_timm_network

logger = logging.getLogger(__name__)

MIN_SHARE = 0.9
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
UNKNOWN_LAYERS = {
    r"\.IN\.": "IBN layers",
    r"\.NL_\d": "non-local blocks",
    r"\.se(_module)?\.": "squeeze-and-excitation layers",
}
"""Layers that reid-strong-baseline and fast-reid may add to a ResNet, by patterns of their tensor names."""

Colors = tuple[float, float, float]


@dataclass(frozen=True)
class LoadReport:
    """The tensors of a network that a file filled.

    Classifiers and batch counters (num_batches_tracked) do not count, since features do not depend on them.

    Attributes:
        project: project that the tensor names come from: "torchreid", "timm", "reid-strong-baseline" or
            "fast-reid".
        loaded: tensors of the network that the file filled.
        missing: tensors of the network that the file lacks or has in another shape.
        unexpected: tensors of the file, by their names in the file, that the network does not have.
        share: share of the network's tensors that were filled, in [0, 1].
    """

    project: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    share: float


@dataclass(frozen=True)
class ForeignNet:
    """A network of another project, with its preprocessing.

    Attributes:
        net: on the CPU, in evaluation mode; returns a tensor (N, D) or a ReidOutput.
        feature: field of the ReidOutput that the project compares.
        kernel: interpolation of the project's resize, by its name in Preprocessing; all three projects
            resize with PIL.
        report: what was loaded.
        mean: per channel RGB in [0, 1]; from the file if it holds one, else ImageNet's.
        std: as mean.
    """

    net: nn.Module
    feature: str
    kernel: str
    report: LoadReport
    mean: Colors = IMAGENET_MEAN
    std: Colors = IMAGENET_STD


def load_foreign(path: Path, architecture: str) -> ForeignNet:
    """Build another project's network and load a state dict into it; no code in the file is executed.

    The keys of the state dict tell which project it comes from. reid-strong-baseline and fast-reid store
    neither the last stride nor a pooling without parameters. This function assumes stride 1 and average
    pooling, as in their published settings.

    Args:
        path: .safetensors, or a file of torch.save that holds a state dict, directly or under one of the
            keys in CONTAINERS.
        architecture: one of torchreid's networks; or "timm:" and a network of timm, with timm's own pooling;
            or, for the two baselines, one of RESNETS.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file holds Python objects, the network or a layer is unknown, or less than MIN_SHARE
            of the network was filled.
        ImportError: the network needs torchreid, which is not installed.
    """
    tensors = read_state_dict(path)
    with torch.random.fork_rng(devices=[]):  # random initial weights, replaced below
        torch.manual_seed(0)
        if is_timm(architecture):
            net = make_timm_network(architecture)
            report = _fill(net, tensors, str, project="timm", path=path)
            return ForeignNet(net.eval(), "after_neck", "antialiased_linear", report)
        if any(name.startswith("heads.") for name in tensors):
            return _load_fastreid(path, tensors, architecture)
        if any(name.startswith("base.") for name in tensors):
            return _load_strong_baseline(path, tensors, architecture)
        return _load_torchreid(path, tensors, architecture)


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
    report = _fill(net, tensors, str, project="torchreid", path=path)
    return ForeignNet(net.eval(), "after_neck", "antialiased_linear", report)


def _note_device(net: nn.Module, inputs: tuple[Tensor]) -> None:
    net.use_gpu = inputs[0].is_cuda  # type: ignore[assignment]


def _load_strong_baseline(path: Path, tensors: Tensors, architecture: str) -> ForeignNet:
    project = "reid-strong-baseline"
    _check_plain_resnet(path, tensors, architecture, project)
    neck = "bnneck" if "bottleneck.weight" in tensors else "none"
    net = ReidNet(NetSettings(architecture, num_classes=1, neck=neck))
    net.backbone.relu = nn.Identity()  # its stem has no ReLU between normalisation and pooling

    def rename(name: str) -> str:
        return re.sub(r"^base\.", "backbone.", re.sub(r"^bottleneck\.", "neck.", name))

    report = _fill(net, tensors, rename, project=project, path=path)
    return ForeignNet(net.eval(), "after_neck", "antialiased_linear", report)


def _load_fastreid(path: Path, tensors: Tensors, architecture: str) -> ForeignNet:
    _check_plain_resnet(path, tensors, architecture, "fast-reid")
    neck_name = "heads.bnneck" if "heads.bnneck.weight" in tensors else "heads.bottleneck.0"
    if any(name.startswith("heads.bottleneck.") and value.ndim == 4 for name, value in tensors.items()):
        raise ValueError(f"{path} reduces the embedding by a convolution in its head, which is not supported")
    exponent = next((name for name in tensors if re.fullmatch(r"heads\.pool_layer(\.\d+)?\.p", name)), "")
    if not exponent:
        logger.warning("%s has no exponent of GeM pooling: average pooling is assumed", path)
    neck = "bnneck" if f"{neck_name}.weight" in tensors else "none"
    pooling = "gem" if exponent else "average"
    net = ReidNet(NetSettings(architecture, num_classes=1, neck=neck, pooling=pooling))
    if neck_name != "heads.bnneck":  # from release 1.0 on, the stem's pooling has no padding
        net.backbone.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True)

    def rename(name: str) -> str:
        if name.startswith(("heads.classifier.", "heads.weight", "heads.cls_layer.")):
            return "classifier."
        return {exponent: "pooling.exponent"}.get(name, re.sub(f"^{re.escape(neck_name)}", "neck", name))

    colors = {name: value for name, value in tensors.items() if name in ("pixel_mean", "pixel_std")}
    rest = {name: value for name, value in tensors.items() if name not in colors}
    report = _fill(net, rest, rename, project="fast-reid", path=path)
    mean = _colors(colors.get("pixel_mean"), IMAGENET_MEAN)
    std = _colors(colors.get("pixel_std"), IMAGENET_STD)
    return ForeignNet(net.eval(), "after_neck", "antialiased_cubic", report, mean, std)


def _colors(stored: Tensor | None, otherwise: Colors) -> Colors:
    """Convert fast-reid's mean or standard deviation from pixels in [0, 255] to [0, 1]."""
    if stored is None:
        return otherwise
    red, green, blue = (stored.double().flatten() / 255).tolist()
    return red, green, blue


def _check_plain_resnet(path: Path, tensors: Tensors, architecture: str, project: str) -> None:
    if architecture not in RESNETS:
        raise ValueError(
            f"{path} has the names of {project}, of which only {', '.join(RESNETS)} are supported, got "
            f"{architecture!r}"
        )
    for pattern, layers in UNKNOWN_LAYERS.items():
        name = next((name for name in tensors if re.search(pattern, name)), None)
        if name:
            raise ValueError(f"{path} has {layers} ({name}): only plain ResNets of {project} are supported")


def _counts(name: str) -> bool:
    """Return whether features depend on a tensor of that name."""
    return not name.startswith("classifier") and not name.endswith("num_batches_tracked")


def _fill(
    net: nn.Module, tensors: Tensors, rename: Callable[[str], str], *, project: str, path: Path
) -> LoadReport:
    """Copy the tensors that fit into the network; raise ValueError if less than MIN_SHARE is filled."""
    own = {name: value for name, value in net.state_dict().items() if _counts(name)}
    given = {name: rename(name) for name in tensors}
    fitting = {}
    for name, target in given.items():
        if target in own and own[target].numel() == tensors[name].numel() == 1:
            fitting[target] = tensors[name].reshape(
                own[target].shape
            )  # fast-reid's GeM exponent has shape (1,)
        elif target in own and own[target].shape == tensors[name].shape:
            fitting[target] = tensors[name]
    net.load_state_dict(fitting, strict=False)
    missing = tuple(name for name in own if name not in fitting)
    unexpected = tuple(name for name, target in given.items() if _counts(target) and target not in fitting)
    report = LoadReport(project, tuple(fitting), missing, unexpected, len(fitting) / len(own))
    summary = (
        f"{path}, names of {project}: {len(fitting)} of {len(own)} tensors of the network are filled"
        f"{_some('missing', missing)}{_some('unexpected', unexpected)}"
    )
    if report.share < MIN_SHARE:
        raise ValueError(f"{summary}; it was made for another architecture, or by another project")
    logger.log(logging.WARNING if missing else logging.INFO, "%s", summary)
    return report


def _some(meaning: str, names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")
    return f"; {len(names)} {meaning} ({shown})" if names else ""
