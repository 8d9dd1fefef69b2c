"""A network as a folder to publish: safetensors, its description, thresholds, scores, checksums and a card.

Nothing in such a folder can hold code. It has no classifier, whose rows belong to the training identities,
and of the experiment only what the card says: no path of the machine that trained it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import yaml

from reid_gl.inference.extractor.manifest import write_manifest
from reid_gl.inference.strategies.apply import KEY as STRATEGIES
from reid_gl.models.backbones import is_known_backbone
from reid_gl.models.reid_net import ReidNet
from reid_gl.models.safetensors_files import read_safetensors, write_safetensors
from reid_gl.models.weights import build_stored_net, load_tensors, read_net_settings
from reid_gl.untrusted.json_files import parse_json
from reid_gl.untrusted.regular_file import read_regular_file

FOLDER_FORMAT = "reid_gl-weights/1"
WEIGHTS_FILE, CONFIG_FILE, METRICS_FILE = "model.safetensors", "config.json", "metrics.json"
CALIBRATION_FILE = f"{WEIGHTS_FILE}.json"
"""Thresholds, where those of any file that is no checkpoint lie."""
CARD_FILE = "README.md"
CALIBRATION = "calibration"
CLASSIFIER = "classifier.weight"
MAX_CONFIG_BYTES = 1_000_000
STATED = ("net", "preprocessing", STRATEGIES)
"""Parts of a description without which a network cannot be used."""
OF_EXPERIMENT = ("LOSS", "SOLVER")
"""Sections of the experiment that are published; besides them only the names of its data sets."""


def is_weights_config(path: Path) -> bool:
    """Whether a file is the description in one of our folders, judging by its format."""
    try:
        found = json.loads(read_regular_file(path, max_bytes=MAX_CONFIG_BYTES))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and str(found.get("format", "")).startswith("reid_gl-weights/")


def folder_config_beside(weights: Path) -> Path | None:
    """Return the description that belongs to weights of one of our folders; None for other weights."""
    config = weights.with_name(CONFIG_FILE)
    return config if weights.name == WEIGHTS_FILE and is_weights_config(config) else None


def save_weights(
    checkpoint: Mapping[str, Any], folder: Path, *, metrics: Mapping[str, Any] | None = None
) -> None:
    """Write the tensors, description, thresholds and scores of a checkpoint, and their manifest.

    Args:
        checkpoint: as read_checkpoint returns it, with its strategies under "inference".
        folder: an existing, empty folder.
        metrics: scores by data set, as run_test returns them.

    Raises:
        ValueError: the network's code is not part of reid_gl.
        ImportError: safetensors is not installed.
    """
    backbone = checkpoint["net"]["backbone"]
    if not is_known_backbone(backbone):
        raise ValueError(
            f"the network {backbone!r} is your own, and its code is not in the checkpoint: others could not "
            "open the weights; publish them with your code"
        )
    tensors = {name: value for name, value in checkpoint["model"].items() if name != CLASSIFIER}
    write_safetensors(tensors, folder / WEIGHTS_FILE)
    description = {
        "format": FOLDER_FORMAT,
        **{name: checkpoint[name] for name in STATED},
        "epoch": checkpoint.get("epoch"),
        "experiment": _published(checkpoint.get("config", "")),
    }
    _write_json(description, folder / CONFIG_FILE)
    if checkpoint.get(CALIBRATION) is not None:
        _write_json({CALIBRATION: checkpoint[CALIBRATION]}, folder / CALIBRATION_FILE)
    if metrics:
        _write_json(metrics, folder / METRICS_FILE)
    write_manifest(folder)


def load_weights(weights: Path) -> tuple[ReidNet, dict[str, Any]]:
    """Build the network of one of our folders.

    Args:
        weights: the file of tensors, with its description beside it.

    Returns:
        The network, on the CPU, in evaluation mode, with a classifier of one row that says nothing; and the
        parts of a checkpoint that the folder has: "net", "preprocessing", "inference", "epoch", "config".

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: the description is damaged, or does not fit the tensors.
    """
    config = weights.with_name(CONFIG_FILE)
    parts = _read_description(config)
    tensors = read_safetensors(weights)
    settings = read_net_settings(parts["net"], tensors, str(config))
    if not is_known_backbone(settings.backbone):
        raise ValueError(f"{config} has the unknown backbone {settings.backbone!r}: it is of another version")
    with torch.random.fork_rng(devices=[]):  # random initial weights, replaced below
        net = build_stored_net(replace(settings, num_classes=1), str(config))
    load_tensors(net, {**tensors, CLASSIFIER: torch.zeros(1, net.num_features)}, source=str(weights))
    return net.eval(), parts


def _read_description(config: Path) -> dict[str, Any]:
    content = read_regular_file(config, max_bytes=MAX_CONFIG_BYTES)
    found = parse_json(content, str(config), advice="copy the folder again")
    version = found.get("format") if isinstance(found, dict) else None
    if version != FOLDER_FORMAT:
        raise ValueError(f"{config} has the format {version!r}, expected {FOLDER_FORMAT!r}")
    for name in STATED:
        if not isinstance(found.get(name), dict):
            raise ValueError(
                f"{config} lacks {name!r}, without which the network cannot be used: write the folder again "
                "with reid-gl weights card"
            )
    experiment = found.get("experiment")
    return {
        **{name: found[name] for name in STATED},
        "epoch": found.get("epoch"),
        "config": yaml.safe_dump(experiment if isinstance(experiment, dict) else {"DATA": {"NAMES": ""}}),
    }


def _published(config: str) -> dict[str, Any]:
    """The part of an experiment that may be published: names of data sets, losses and solver."""
    values = yaml.safe_load(config) or {}
    sections = {name: values[name] for name in OF_EXPERIMENT if name in values}
    return {"DATA": {"NAMES": values.get("DATA", {}).get("NAMES", "")}, **sections}


def _write_json(values: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
