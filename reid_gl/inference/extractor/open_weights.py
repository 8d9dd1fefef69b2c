"""Opens weights, ours or another project's, as a network in torch, for commands and FeatureExtractor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.foreign import NOTHING_SAID, Foreign
from reid_gl.inference.extractor.reid_folder import config_beside, read_reid_config
from reid_gl.inference.strategies.apply import KEY, Strategies
from reid_gl.models import load_net
from reid_gl.models.foreign import load_foreign
from reid_gl.models.safetensors_files import SUFFIX as SAFETENSORS
from reid_gl.models.weight_files import check_weight_file
from reid_gl.models.weights import NoCheckpointError
from reid_gl.records import TEST_FEATURES


@dataclass(frozen=True)
class OpenedWeights:
    """A network, and what is known of it.

    Attributes:
        net: on the CPU, in evaluation mode; returns a ReidOutput or a tensor (N, D).
        checkpoint: what the file holds beside the network; of other projects only the parts "net",
            "preprocessing", "inference" and "epoch", as a checkpoint of ours would have them.
    """

    net: nn.Module
    checkpoint: dict[str, Any]


def open_weights(
    path: Path, foreign: Foreign = NOTHING_SAID, *, backbone: nn.Module | None = None
) -> OpenedWeights:
    """Open a checkpoint of ours, a state dict of another project, or the weights in a folder of `reid`.

    Args:
        path: the file.
        foreign: what the caller says of weights of another project.
        backbone: the network of your own that a checkpoint of ours was trained with.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file cannot be used, or lacks what only the caller can say, or knows what he says.
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
    if path.suffix.lower() != SAFETENSORS:
        check_weight_file(path)
    if foreign.architecture is not None:
        return _open_foreign(path, foreign.architecture, foreign)
    if path.suffix.lower() == SAFETENSORS:
        raise ValueError(f"{path} is of a foreign network, give the architecture, such as 'osnet_x1_0'")
    if not given.is_empty() or given.kernel:
        raise ValueError(f"{path} is a reid_gl checkpoint and knows the images it takes: say nothing of them")
    try:
        loaded = load_net(path, backbone=backbone)
    except NoCheckpointError as error:
        raise ValueError(
            f"{error}; of a foreign network, give the architecture, such as 'osnet_x1_0'"
        ) from None
    try:
        stored_preprocessing(loaded.checkpoint)
        stored_strategies(loaded.checkpoint)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"{path} cannot be used: {error}") from None
    return OpenedWeights(loaded.net, loaded.checkpoint)


def _open_foreign(path: Path, architecture: str, said: Foreign | Preprocessing) -> OpenedWeights:
    """A network of another project; what it does not say of its images, the caller does."""
    found = load_foreign(path, architecture)
    if isinstance(said, Preprocessing):
        preprocessing = said
    elif said.images.is_empty():
        kernel = said.images.kernel or found.kernel
        preprocessing = Preprocessing(kernel=kernel, mean=found.mean, std=found.std)
    else:
        preprocessing = said.images.build(str(path), kernel=found.kernel)
    parts = {
        "net": {"backbone": architecture},
        "preprocessing": preprocessing.to_dict(),
        KEY: Strategies(found.feature).to_dict(),
        "epoch": None,
    }
    return OpenedWeights(found.net, parts)


def stored_preprocessing(checkpoint: Mapping[str, Any]) -> Preprocessing:
    """What images the network of a checkpoint takes.

    Raises:
        ValueError: a part is missing, unknown or of another type.
    """
    try:
        return Preprocessing.from_dict(checkpoint["preprocessing"])
    except (TypeError, KeyError) as error:
        parts = ", ".join(field.name for field in fields(Preprocessing))
        raise ValueError(f"the checkpoint's preprocessing is damaged ({error!r}): expected {parts}") from None


def stored_strategies(checkpoint: Mapping[str, Any]) -> Strategies:
    """The feature and the test-time strategies of the experiment that wrote a checkpoint.

    Checkpoints before version 0.2 keep the feature only, in their configuration.

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
    """The experiment that a checkpoint carries.

    Raises:
        ValueError: it is no YAML of sections.
    """
    stored = checkpoint["config"]
    try:
        config = yaml.safe_load(stored) if isinstance(stored, str) else None
    except (yaml.YAMLError, RecursionError):
        config = None
    if not isinstance(config, dict):
        raise ValueError(
            f"the configuration in the checkpoint is no YAML of sections, got {str(stored)[:80]!r}"
        )
    return config
