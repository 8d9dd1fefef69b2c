"""Score a checkpoint on a data set."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

from yacs.config import CfgNode

from reid_gl.config.build import build_dataset, build_device, build_evaluation, build_weights_path
from reid_gl.data.loaders import check_images
from reid_gl.data.transforms import Preprocessing
from reid_gl.device import choose_precision
from reid_gl.evaluation.protocol import check_protocol
from reid_gl.inference.evaluate import evaluate
from reid_gl.models import load_net
from reid_gl.records import ReidDataset
from reid_gl.report.scores import scores_to_dict
from reid_gl.training.run_folder import write_text

logger = logging.getLogger(__name__)


def run_test(config: CfgNode, dataset: ReidDataset | None = None) -> dict[str, Any]:
    """Evaluate MODEL.WEIGHTS; also writes the result beside the weights.

    The network and its preprocessing come from the checkpoint, everything under TEST and DATA from the
    configuration.

    Args:
        config: the experiment.
        dataset: what DATA describes, if it has been loaded and its pictures checked already.

    Returns:
        Scores in [0, 1] with protocol, counts and settings.

    Raises:
        ValueError, FileNotFoundError: weights or data set cannot be used.
    """
    weights = build_weights_path(config)
    loaded = load_net(weights)
    if dataset is None:
        dataset = build_dataset(config)
        check_images([*dataset.query, *dataset.gallery])
    settings = build_evaluation(config)
    preflight = check_protocol(dataset.query, dataset.gallery, camera_filter=settings["camera_filter"])
    logger.info("%s: %s", dataset.name, preflight)
    device = build_device(config)
    result = evaluate(
        loaded.net.to(device),
        dataset,
        preprocessing=Preprocessing.from_dict(loaded.checkpoint["preprocessing"]),
        show_progress=True,
        **settings,
    )
    scores = scores_to_dict(
        result,
        preflight,
        dataset=dataset.name,
        feature=settings["feature"],
        distance=settings["metric"],
        rerank=None if settings["rerank"] is None else asdict(settings["rerank"]),
        dtype=str(choose_precision(settings["precision"], device)).removeprefix("torch."),
        device=device.type,
        weights=str(weights),
        epoch=loaded.checkpoint["epoch"],
    )
    write_result(scores, weights)
    return scores


def write_result(scores: dict[str, Any], weights: Path) -> Path:
    """Write scores beside the weights, under a name that tells data set, feature and distance."""
    name = "_".join(["test", scores["dataset"], scores["feature"], scores["distance"]])
    if scores["rerank"] is not None:
        name += "_reranked"
    path = weights.with_name(f"{name.replace(' ', '_')}.json")
    write_text(path, json.dumps(scores, indent=2) + "\n")
    return path
