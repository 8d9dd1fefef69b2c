"""Score a checkpoint on a data set."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reid_gl.config import Config, Experiment, read_experiment
from reid_gl.config.experiment import Scoring
from reid_gl.data.loading.loaders import check_images
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.device import choose_device, choose_precision
from reid_gl.distributed.ranks import is_first
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.protocol import Preflight, check_test_set
from reid_gl.evaluation.scores.ranking import evaluate_features
from reid_gl.experiment.group_scores import score_groups
from reid_gl.experiment.load_data import load_extra_queries, load_test_sets
from reid_gl.experiment.retrieval_scores import score_retrieval
from reid_gl.files import write_text
from reid_gl.inference.evaluate import NOT_OF_FEATURES, extract_sides
from reid_gl.inference.extractor.find_weights import find_weights, results_folder
from reid_gl.inference.extractor.foreign import NOTHING_SAID, Foreign
from reid_gl.inference.extractor.open_weights import (
    open_weights,
    stored_preprocessing,
    stored_strategies,
)
from reid_gl.inference.extractor.stored_thresholds import KEY as CALIBRATION
from reid_gl.inference.strategies.apply import KEY as STRATEGIES
from reid_gl.models import ReidNet, read_checkpoint
from reid_gl.records import Features, RankingResult, ReidDataset
from reid_gl.report.scores import scores_to_dict
from reid_gl.training.checkpoint import save_checkpoint

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Candidate:
    """A network and the data set it is scored on.

    Attributes:
        net: on the device, with the weights of the checkpoint.
        weights: the checkpoint's file.
        checkpoint: the other content of this file.
        dataset: data set of query and gallery, with checked images.
        preflight: protocol of the data set.
        scoring: how its features are computed and compared.
        device: where the network runs.
    """

    net: nn.Module
    weights: Path
    checkpoint: dict[str, Any]
    dataset: ReidDataset
    preflight: Preflight
    scoring: Scoring
    device: torch.device

    @property
    def preprocessing(self) -> Preprocessing:
        """Return the configuration that the network was trained with."""
        return stored_preprocessing(self.checkpoint)

    @property
    def reid_net(self) -> ReidNet:
        """Return the network as one of ours; ValueError if it comes from another project."""
        if not isinstance(self.net, ReidNet):
            raise ValueError(f"{self.weights} is from another project and has no test-time strategies")
        return self.net

    def describe(self) -> dict[str, Any]:
        """Return the entries of a result that say where it comes from."""
        return {
            "dataset": self.dataset.name,
            "feature": self.scoring.feature,
            "dtype": str(choose_precision(self.scoring.precision, self.device)).removeprefix("torch."),
            "device": self.device.type,
            "weights": str(self.weights),
            "epoch": self.checkpoint["epoch"],
        }


@dataclass(frozen=True)
class ScoredFeatures:
    """A candidate, and the features that its scores come from.

    Attributes:
        experiment: what was asked for.
        candidate: network and test set.
        query: features of the queries.
        gallery: features of the gallery without junk; None if every query searches all the others.
    """

    experiment: Experiment
    candidate: Candidate
    query: Features
    gallery: Features | None

    def comparison(self) -> dict[str, Any]:
        """Return metric, rerank and max_memory_gb, as evaluate_features takes them."""
        scoring = self.candidate.scoring
        return {name: getattr(scoring, name) for name in ("metric", "rerank", "max_memory_gb")}

    def describe(self, result: RankingResult, rerank: RerankSettings | None) -> dict[str, Any]:
        """Return scores for JSON, with protocol, counts and all settings that they depend on."""
        return scores_to_dict(
            result,
            self.candidate.preflight,
            **self.candidate.describe(),
            distance=self.candidate.scoring.metric,
            multi_query=self.experiment.multi_query,
            inference=asdict(self.candidate.scoring.inference),
            rerank=None if rerank is None else asdict(rerank),
        )


def run_test(
    config: Config,
    dataset: ReidDataset | None = None,
    *,
    foreign: Foreign = NOTHING_SAID,
    also: Callable[[ScoredFeatures], None] | None = None,
) -> dict[str, Any]:
    """Evaluate MODEL.WEIGHTS and write the result next to the weights.

    The network and its preprocessing come from the checkpoint, everything under TEST and DATA from the
    configuration.

    Args:
        config: the experiment.
        dataset: a loaded test set with checked images; None for the first one that DATA names.
        foreign: the caller's description of weights of another project.
        also: called with the features after they are scored.

    Returns:
        Scores in [0, 1] with protocol, counts and settings; for a data set of image retrieval, also the
        scores of image retrieval. Of several ranks, only the first scores; the others get an empty result.

    Raises:
        ValueError, FileNotFoundError: weights or data set cannot be used.
    """
    experiment = read_experiment(config)
    tested = compute_features(experiment, load_candidate(experiment, dataset, foreign))
    if not is_first():
        return {}
    candidate, scoring, comparison = tested.candidate, tested.candidate.scoring, tested.comparison()
    query, gallery = tested.query, tested.gallery
    draws, search = candidate.dataset.draws, candidate.dataset.search
    cameras = candidate.preflight.use_cameras
    result = evaluate_features(query, gallery, use_cameras=cameras, draws=draws, search=search, **comparison)
    scores = tested.describe(result, scoring.rerank) | score_groups(query, gallery, draws=draws, **comparison)
    if draws:
        scores["protocol"]["name"] = f"{len(draws)} drawn galleries of people"
    if ks := candidate.dataset.ks:
        clustering = experiment.clustering
        scores |= score_retrieval(query, gallery, ks=ks, clustering=clustering, **comparison)
    words = ["test", scores["dataset"], scores["feature"], scores["distance"], str(scoring.inference)]
    words += ["multi_query", experiment.multi_query] if experiment.multi_query != "none" else []
    words += ["reranked"] * (scoring.rerank is not None)
    write_result(scores, candidate.weights, words)
    if also is not None:
        also(tested)
    return scores


def compute_features(experiment: Experiment, candidate: Candidate) -> ScoredFeatures:
    """Compute the features that the scores of a candidate come from.

    Raises:
        ValueError, FileNotFoundError: as run_test.
    """
    extra_queries = load_extra_queries(experiment)
    if extra_queries:
        check_images(extra_queries["extra_queries"])
    query, gallery = extract_sides(
        candidate.net,
        candidate.dataset,
        preprocessing=candidate.preprocessing,
        show_progress=True,
        **candidate.scoring.arguments(without=NOT_OF_FEATURES),
        **extra_queries,
    )
    return ScoredFeatures(experiment, candidate, query, gallery)


def run_tests(
    config: Config, *, foreign: Foreign = NOTHING_SAID, also: Callable[[ScoredFeatures], None] | None = None
) -> dict[str, dict[str, Any]]:
    """Call run_test on every test set of DATA.

    Returns:
        Results of run_test, by the name of the data set.

    Raises:
        ValueError: as run_test; also if two test sets have the same name.
    """
    experiment = read_experiment(config)
    # report mistakes before thousands of images are checked
    open_weights(find_weights(experiment.weights_to_test()), foreign)
    datasets = load_test_sets(experiment.data)
    if len({dataset.name for dataset in datasets}) < len(datasets):
        raise ValueError(f"a data set is named twice: {', '.join(dataset.name for dataset in datasets)}")
    for dataset in datasets:  # check all before the first of them takes its time
        check_images([*dataset.query, *dataset.gallery])
    return {dataset.name: run_test(experiment, dataset, foreign=foreign, also=also) for dataset in datasets}


def keep_strategies(config: Config) -> None:
    """Store the feature and the test-time strategies of TEST in MODEL.WEIGHTS, in place of those it has.

    FeatureExtractor, extraction and exports use what is stored. Thresholds hold for the features they were
    measured on, so other strategies remove those that the checkpoint has.

    Raises:
        ValueError, OSError: the file is not one of our checkpoints, or cannot be written.
    """
    experiment = read_experiment(config)
    weights, strategies = experiment.weights_to_test(), experiment.scoring.strategies
    checkpoint = read_checkpoint(weights)
    if stored_strategies(checkpoint) != strategies and checkpoint.pop(CALIBRATION, None) is not None:
        logger.warning(
            "%s had thresholds for other features, which are removed: run calibrate again", weights
        )
    save_checkpoint({**checkpoint, STRATEGIES: strategies.to_dict()}, weights)
    logger.info("%s keeps %s", weights, strategies)


def load_candidate(
    config: Config, dataset: ReidDataset | None = None, foreign: Foreign = NOTHING_SAID
) -> Candidate:
    """Load the network of MODEL.WEIGHTS and the test set of DATA; arguments and errors as run_test."""
    experiment = read_experiment(config)
    weights, scoring = find_weights(experiment.weights_to_test()), experiment.scoring
    loaded = open_weights(weights, foreign)
    if dataset is None:
        dataset = load_test_sets(experiment.data)[0]
        check_images([*dataset.query, *dataset.gallery])
    if scoring.rerank is not None and scoring.rerank.doubled_pool and dataset.gallery:
        raise ValueError(
            f"{dataset.name} has a gallery, and a doubled pool is for sets that search themselves: leave "
            "TEST.RERANK.DOUBLED_POOL, or the preset that sets it, out"
        )
    preflight = check_test_set(dataset, camera_filter=scoring.camera_filter)
    logger.info("%s: %s", dataset.name, preflight)
    device = choose_device(experiment.device)
    return Candidate(loaded.net.to(device), weights, loaded.checkpoint, dataset, preflight, scoring, device)


def write_result(result: dict[str, Any], weights: Path, words: list[str]) -> Path:
    """Write a result to the weights' folder of results, under a name built from words."""
    name = "_".join(word for word in words if word).replace(",", "").replace(" ", "_")
    path = results_folder(weights) / f"{name}.json"
    write_text(path, json.dumps(result, indent=2) + "\n")
    return path
