"""Open weights, ours or another project's, as a network in torch, for commands and FeatureExtractor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exported.exported_network import preprocessing_of, read_sidecar, sidecar_of
from reid_gl.inference.exported.open_exported import agreed_images, agreed_kernel
from reid_gl.inference.extractor.foreign import NOTHING_SAID, Foreign, GivenPreprocessing
from reid_gl.inference.extractor.reid_folder import config_beside, read_reid_config
from reid_gl.inference.extractor.weights_folder import folder_config_beside, load_weights
from reid_gl.inference.strategies.apply import KEY, Strategies
from reid_gl.models import load_net
from reid_gl.models.foreign import load_foreign
from reid_gl.models.recognize import UnknownWeightsError
from reid_gl.models.safetensors_files import SUFFIX as SAFETENSORS
from reid_gl.models.state_names import NoTensorsError
from reid_gl.models.weight_files import check_weight_file
from reid_gl.models.weights import NoCheckpointError
from reid_gl.records import TEST_FEATURES


@dataclass(frozen=True)
class OpenedWeights:
    """A network and its metadata.

    Attributes:
        net: on the CPU, in evaluation mode; returns a ReidOutput or a tensor (N, D).
        checkpoint: the content of the file besides the network; for other projects only the parts "net",
            "preprocessing", "inference" and "epoch", in the form of our checkpoints.
    """

    net: nn.Module
    checkpoint: dict[str, Any]


def open_weights(
    path: Path, foreign: Foreign = NOTHING_SAID, *, backbone: nn.Module | None = None
) -> OpenedWeights:
    """Open a checkpoint or a published network of reid_gl, or a state dict or folder of another project.

    Args:
        path: the file.
        foreign: the caller's description of weights of another project.
        backbone: your own network, if one of our checkpoints was trained with it.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file cannot be used, needs arguments that the caller has not given, or states itself
            what the caller has given.
    """
    given = foreign.images
    if foreign.output_name is not None:
        raise ValueError(f"output_name is for exported files, {path} is opened in torch: leave it out")
    config_file = config_beside(path)
    if config_file is not None and backbone is None:
        config = read_reid_config(config_file)
        if not given.is_empty() or foreign.architecture not in (None, config.architecture):
            raise ValueError(
                f"{config_file} says that {path} is {config.architecture} and what images it takes: say "
                "nothing of them, or give weights that lie elsewhere"
            )
        return _open_foreign(path, config.architecture, config.preprocessing)
    if folder_config_beside(path) is not None and backbone is None:
        return _open_folder(path, foreign)
    if path.suffix.lower() != SAFETENSORS:
        check_weight_file(path)
    if foreign.architecture is not None:
        return _open_foreign(path, foreign.architecture, foreign)
    if path.suffix.lower() == SAFETENSORS:
        return _open_recognized(path, foreign, f"{path} is from another project: give the architecture")
    try:
        loaded = load_net(path, backbone=backbone)
    except NoCheckpointError as error:
        otherwise = f"{error}; for a network of another project, give the architecture"
        return _open_recognized(path, foreign, otherwise)
    if not given.is_empty() or given.kernel:
        raise ValueError(
            f"{path} is a reid_gl checkpoint and describes its input images itself: leave these arguments out"
        )
    return _checked(OpenedWeights(loaded.net, loaded.checkpoint), path)


def _open_folder(path: Path, foreign: Foreign) -> OpenedWeights:
    """Open a network that `reid-gl weights card` wrote."""
    if not foreign.is_empty():
        raise ValueError(f"{path} is described by the file beside it: leave these arguments out")
    return _checked(OpenedWeights(*load_weights(path)), path)


def _checked(opened: OpenedWeights, path: Path) -> OpenedWeights:
    """Raise ValueError, with the name of the file, if what it says of images or features cannot be used."""
    try:
        stored_preprocessing(opened.checkpoint)
        stored_strategies(opened.checkpoint)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} cannot be used: {error}") from None
    return opened


def _open_recognized(path: Path, foreign: Foreign, otherwise: str) -> OpenedWeights:
    """Open a public network by its tensors; ValueError that begins with `otherwise` if they are unknown."""
    try:
        return _open_foreign(path, None, foreign)
    except (UnknownWeightsError, NoTensorsError):
        raise ValueError(
            f"{otherwise}, such as 'osnet_x1_0'; reid-gl weights list shows what is recognised without it"
        ) from None


def _open_foreign(path: Path, architecture: str | None, said: Foreign | Preprocessing) -> OpenedWeights:
    """Open a network of another project, whose input images the caller or the JSON beside it may describe."""
    found = load_foreign(path, architecture)
    usual = Preprocessing(found.height, found.width, found.kernel, found.mean, found.std)
    preprocessing = said if isinstance(said, Preprocessing) else _foreign_images(path, usual, said.images)
    parts = {
        "net": {"backbone": found.architecture},
        "preprocessing": preprocessing.to_dict(),
        KEY: Strategies(found.feature).to_dict(),
        "epoch": None,
    }
    return OpenedWeights(found.net, parts)


def _foreign_images(path: Path, usual: Preprocessing, given: GivenPreprocessing) -> Preprocessing:
    """Return what a network of another project takes.

    Args:
        path: the file; the JSON beside it may hold the same "preprocessing" as beside an exported network, or
            of this only the kernel.
        usual: what is usual in its project, for what nobody says.
        given: what the caller says.

    Raises:
        ValueError: a description is incomplete or impossible, or the caller says something else.
    """
    source, description = str(sidecar_of(path)), read_sidecar(path)
    said: dict[str, Preprocessing] = {}
    beside = description.get("preprocessing")
    if isinstance(beside, Mapping):
        filled = {**(usual.to_dict() if beside.keys() <= {"kernel"} else {"kernel": usual.kernel}), **beside}
        said[source] = preprocessing_of({**description, "preprocessing": filled}, source)
    elif beside is not None:
        raise ValueError(f"the preprocessing in {source} is not an object: correct it, or remove it")
    if not given.is_empty():
        said["the caller"] = given.build(str(path), kernel=usual.kernel)
    agreed = agreed_images(said, path) if said else usual
    if given.kernel is None:
        return agreed
    described = {source: description} if said.keys() >= {source} else {}
    return replace(agreed, kernel=agreed_kernel(described, given.kernel))


def stored_preprocessing(checkpoint: Mapping[str, Any]) -> Preprocessing:
    """Return the input preprocessing of a checkpoint's network.

    Raises:
        ValueError: a part is missing, unknown or of another type.
    """
    try:
        return Preprocessing.from_dict(checkpoint["preprocessing"])
    except (TypeError, KeyError) as error:
        parts = ", ".join(field.name for field in fields(Preprocessing))
        raise ValueError(f"the checkpoint's preprocessing is damaged ({error!r}): expected {parts}") from None


def stored_strategies(checkpoint: Mapping[str, Any]) -> Strategies:
    """Return the feature and the test-time strategies of the experiment that wrote a checkpoint.

    Checkpoints before version 0.2 store only the feature, in their configuration.

    Raises:
        ValueError: the entry is damaged.
    """
    if KEY in checkpoint:
        return Strategies.from_dict(checkpoint[KEY])
    section = read_stored_config(checkpoint).get("TEST")
    feature = section.get("FEATURE") if isinstance(section, dict) else None
    if feature not in TEST_FEATURES:
        raise ValueError(
            f"the checkpoint's configuration has TEST.FEATURE {feature!r}: expected one of "
            f"{', '.join(TEST_FEATURES)}"
        )
    return Strategies(str(feature))


def read_stored_config(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Return the experiment that a checkpoint stores.

    Raises:
        ValueError: it is not YAML with sections.
    """
    stored = checkpoint["config"]
    try:
        config = yaml.safe_load(stored) if isinstance(stored, str) else None
    except (yaml.YAMLError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise ValueError(
            f"the configuration in the checkpoint is not YAML with sections, got {str(stored)[:80]!r}"
        )
    return config
