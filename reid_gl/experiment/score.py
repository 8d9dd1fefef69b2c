"""Score a checkpoint on a data set."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from yacs.config import CfgNode

from reid_gl.config.build import (
    build_clustering,
    build_device,
    build_evaluation,
    build_extra_queries,
    build_strategies,
    build_test_sets,
    build_weights_path,
)
from reid_gl.data.loading.loaders import check_images
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.device import choose_precision
from reid_gl.distributed.ranks import is_first
from reid_gl.evaluation.scores.protocol import Preflight, check_protocol
from reid_gl.evaluation.scores.ranking import evaluate_features
from reid_gl.experiment.retrieval_scores import score_retrieval
from reid_gl.inference.evaluate import NOT_OF_FEATURES, extract_sides
from reid_gl.inference.extractor.embedder import stored_preprocessing, stored_strategies
from reid_gl.inference.extractor.stored_thresholds import KEY as CALIBRATION
from reid_gl.inference.strategies.apply import KEY as STRATEGIES
from reid_gl.models import ReidNet, load_net, read_checkpoint
from reid_gl.records import ReidDataset
from reid_gl.report.scores import scores_to_dict
from reid_gl.training.checkpoint import save_checkpoint
from reid_gl.training.run_folder import write_text

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A network and what it is scored on.

    Attributes:
        net: on the device, with the weights of the checkpoint.
        weights: the checkpoint's file.
        checkpoint: what else it holds.
        dataset: of query and gallery, their images checked.
        preflight: its protocol.
        settings: keyword arguments of reid_gl.inference.evaluate.evaluate.
        device: where the network runs.
    """

    net: ReidNet
    weights: Path
    checkpoint: dict[str, Any]
    dataset: ReidDataset
    preflight: Preflight
    settings: dict[str, Any]
    device: torch.device

    @property
    def preprocessing(self) -> Preprocessing:
        """What the network was trained with."""
        return stored_preprocessing(self.checkpoint)

    def describe(self) -> dict[str, Any]:
        """What results say of where they come from."""
        return {
            "dataset": self.dataset.name,
            "feature": self.settings["feature"],
            "dtype": str(choose_precision(self.settings["precision"], self.device)).removeprefix("torch."),
            "device": self.device.type,
            "weights": str(self.weights),
            "epoch": self.checkpoint["epoch"],
        }


def run_test(config: CfgNode, dataset: ReidDataset | None = None) -> dict[str, Any]:
    """Evaluate MODEL.WEIGHTS; also writes the result beside the weights.

    The network and its preprocessing come from the checkpoint, everything under TEST and DATA from the
    configuration.

    Args:
        config: the experiment.
        dataset: a test set that has been loaded and its images checked; None for the first that DATA names.

    Returns:
        Scores in [0, 1] with protocol, counts and settings; those of image retrieval too, where the data set
        is one of it. Of several ranks the first one scores, and the others get nothing.

    Raises:
        ValueError, FileNotFoundError: weights or data set cannot be used.
    """
    candidate = load_candidate(config, dataset)
    settings, extra_queries = candidate.settings, build_extra_queries(config)
    if extra_queries:
        check_images(extra_queries["extra_queries"])
    comparison = {name: settings[name] for name in ("metric", "rerank", "max_memory_gb")}
    others = {name: value for name, value in settings.items() if name not in NOT_OF_FEATURES}
    query, gallery = extract_sides(
        candidate.net,
        candidate.dataset,
        preprocessing=candidate.preprocessing,
        show_progress=True,
        **others,
        **extra_queries,
    )
    if not is_first():
        return {}
    result = evaluate_features(query, gallery, use_cameras=candidate.preflight.use_cameras, **comparison)
    retrieval = {}
    if ks := candidate.dataset.ks:
        retrieval = score_retrieval(query, gallery, ks=ks, clustering=build_clustering(config), **comparison)
    scores = scores_to_dict(
        result,
        candidate.preflight,
        **retrieval,
        **candidate.describe(),
        distance=settings["metric"],
        multi_query=config.TEST.MULTI_QUERY,
        inference=asdict(settings["inference"]),
        rerank=None if settings["rerank"] is None else asdict(settings["rerank"]),
    )
    words = ["test", scores["dataset"], scores["feature"], scores["distance"], str(settings["inference"])]
    words += ["multi_query", config.TEST.MULTI_QUERY] if extra_queries else []
    words += ["reranked"] * (settings["rerank"] is not None)
    write_result(scores, candidate.weights, words)
    return scores


def run_tests(config: CfgNode) -> dict[str, dict[str, Any]]:
    """run_test on every test set of DATA.

    Returns:
        What run_test gives, by the name of the data set.

    Raises:
        ValueError: as run_test; also two test sets of one name.
    """
    load_net(build_weights_path(config))  # mistakes come to light before thousands of images are looked at
    datasets = build_test_sets(config)
    if len({dataset.name for dataset in datasets}) < len(datasets):
        raise ValueError(f"a data set is named twice: {', '.join(dataset.name for dataset in datasets)}")
    for dataset in datasets:  # before the first of them takes its time
        check_images([*dataset.query, *dataset.gallery])
    return {dataset.name: run_test(config, dataset) for dataset in datasets}


def keep_strategies(config: CfgNode) -> None:
    """Store the feature and the test-time strategies of TEST in MODEL.WEIGHTS, in place of those it has.

    FeatureExtractor, extraction and exports use what is stored. Thresholds hold for the features they were
    measured on, so other strategies remove those that the checkpoint has.

    Raises:
        ValueError, OSError: no checkpoint of ours, or it cannot be written.
    """
    weights = build_weights_path(config)
    checkpoint, strategies = read_checkpoint(weights), build_strategies(config)
    if stored_strategies(checkpoint) != strategies and checkpoint.pop(CALIBRATION, None) is not None:
        logger.warning("%s had thresholds of other features, which are removed: run calibrate again", weights)
    save_checkpoint({**checkpoint, STRATEGIES: strategies.to_dict()}, weights)
    logger.info("%s keeps %s", weights, strategies)


def load_candidate(config: CfgNode, dataset: ReidDataset | None = None) -> Candidate:
    """The network of MODEL.WEIGHTS and the test set of DATA; arguments and errors as run_test."""
    weights = build_weights_path(config)
    loaded = load_net(weights)
    if dataset is None:
        dataset = build_test_sets(config)[0]
        check_images([*dataset.query, *dataset.gallery])
    settings = build_evaluation(config)
    if settings["rerank"] is not None and settings["rerank"].doubled_pool and dataset.gallery:
        raise ValueError(
            f"{dataset.name} has a gallery, and a doubled pool is for sets that search themselves: leave "
            "TEST.RERANK.DOUBLED_POOL, or the preset that sets it, out"
        )
    preflight = check_protocol(dataset.query, dataset.gallery, camera_filter=settings["camera_filter"])
    logger.info("%s: %s", dataset.name, preflight)
    device = build_device(config)
    return Candidate(loaded.net.to(device), weights, loaded.checkpoint, dataset, preflight, settings, device)


def write_result(result: dict[str, Any], weights: Path, words: list[str]) -> Path:
    """Write a result beside the weights, under a name made of words that tell it from other ones."""
    name = "_".join(word for word in words if word).replace(",", "").replace(" ", "_")
    path = weights.with_name(f"{name}.json")
    write_text(path, json.dumps(result, indent=2) + "\n")
    return path
