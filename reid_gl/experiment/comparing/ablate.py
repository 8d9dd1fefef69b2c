"""What each test-time switch contributes: every combination of them, from one pass of the network."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from tqdm import tqdm

from reid_gl.config import Config
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.experiment.comparing.one_pass import OnePass, run_once
from reid_gl.experiment.score import load_candidate, write_result
from reid_gl.inference.strategies.pooling_statistics import refusal, trained_mixing
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.models import ReidNet
from reid_gl.records import ReidDataset
from reid_gl.report.ablation import summarize_ablation
from reid_gl.report.scores import ranking_to_dict

logger = logging.getLogger(__name__)

DEFAULTS = InferenceSettings(mixing=0.5, slope=0.5, beta=0.002, flip=True)
"""Value of each switch that the configuration leaves off."""
RERANKING = "re-ranking"
CAUTION = (
    "these are scores on the test set: choosing switches or values by them selects on the test set; "
    "tune-inference chooses on held-out training identities"
)


def run_ablation(config: Config, dataset: ReidDataset | None = None) -> dict[str, Any]:
    """Score MODEL.WEIGHTS with every combination of mixing, slope, beta, flip and re-ranking.

    The values come from TEST, or from DEFAULTS where TEST leaves a switch off; the network's crops are those
    of TEST in every row. Rows with beta are compared by Euclidean distance. Switches that the network or
    TEST.FEATURE does not allow are left out, and named.

    Args:
        config: the experiment.
        dataset: the data set of DATA, if it is already loaded and its images are checked.

    Returns:
        The result of summarize_ablation, with the values of the switches and the origin of the scores; it is
        also written next to the weights.

    Raises:
        ValueError, FileNotFoundError: as run_test.
    """
    candidate = load_candidate(config, dataset)
    feature, configured = candidate.scoring.feature, candidate.scoring.inference
    values = switch_values(configured, candidate.scoring.rerank)
    combinations = list_combinations(candidate.reid_net, feature, values, configured.num_crops)
    results = _score_all(run_once(candidate, flip=True), combinations, values)
    summary = {
        **candidate.describe(),
        "caution": CAUTION,
        "num_crops": configured.num_crops,
        "values": {**values, RERANKING: asdict(values[RERANKING])},
        **summarize_ablation(results),
    }
    write_result(summary, candidate.weights, ["ablation", summary["dataset"], feature])
    return summary


def switch_values(inference: InferenceSettings, rerank: RerankSettings | None) -> dict[str, Any]:
    """Return the value of each switch when it is on, re-ranking last."""
    values = {
        "mixing": DEFAULTS.mixing if inference.mixing is None else inference.mixing,
        "slope": inference.slope or DEFAULTS.slope,
        "beta": inference.beta or DEFAULTS.beta,
        "flip": True,
    }
    return {**values, RERANKING: rerank or RerankSettings()}


def list_combinations(
    net: ReidNet, feature: str, values: Mapping[str, Any], num_crops: int = 1
) -> list[tuple[tuple[str, ...], InferenceSettings]]:
    """List every possible combination: the switches that are on, and the resulting settings.

    Each appears first without, then with re-ranking, which is not part of the settings.
    """
    switches = [name for name in values if name != RERANKING]
    if trained_mixing(net) == values["mixing"]:
        logger.info("without the switch mixing: the network was trained with that pooling")
        switches.remove("mixing")
    combinations: list[tuple[tuple[str, ...], InferenceSettings]] = []
    reasons = []
    for choice in itertools.product((False, True), repeat=len(switches)):
        on = tuple(name for name, chosen in zip(switches, choice, strict=True) if chosen)
        inference = InferenceSettings(num_crops=num_crops, **{name: values[name] for name in on})
        if reason := refusal(net, feature, inference):
            reasons.append(reason)
        else:
            combinations += [(on, inference), ((*on, RERANKING), inference)]
    for reason in dict.fromkeys(reasons):
        logger.info("some combinations are left out: %s", reason)
    return combinations


def _score_all(
    network: OnePass,
    combinations: list[tuple[tuple[str, ...], InferenceSettings]],
    values: Mapping[str, Any],
) -> dict[tuple[str, ...], dict[str, float]]:
    results = {}
    for on, inference in tqdm(combinations, unit="row", desc="combinations", disable=None):
        rerank = values[RERANKING] if RERANKING in on else None
        results[on] = ranking_to_dict(network.score(inference, rerank))
    return results
