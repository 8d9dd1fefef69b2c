"""Choose settings of features and re-ranking on training identities that the network has not seen."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from reid_gl.config import Config, Experiment, inference_overrides, read_experiment, read_holdout
from reid_gl.data.loading.loaders import check_images, make_label_map
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.experiment.comparing.one_pass import OnePass, run_once
from reid_gl.experiment.load_data import hold_out, load_data
from reid_gl.experiment.score import Candidate, load_candidate
from reid_gl.files import write_text
from reid_gl.inference.strategies.pooling_statistics import refusal
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.models import read_checkpoint
from reid_gl.records import ReidDataset
from reid_gl.report.scores import ranking_to_dict

logger = logging.getLogger(__name__)

RESULT_FILE = "inference.yml"
FEW_IDENTITIES = 20
FEATURE_GRIDS: dict[str, tuple[Any, ...]] = {
    "mixing": (None, 0.0, 0.25, 0.5, 0.75, 1.0),
    "slope": (0.0, 0.25, 0.5, 0.75, 1.0),
    "beta": (0.0, 0.0005, 0.001, 0.002, 0.004, 0.008),
}
RERANK_GRIDS: dict[str, tuple[Any, ...]] = {
    "lambda_value": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9),
    "k1": (3, 6, 10, 20, 30, 50),
    "k2": (1, 2, 3, 6, 10, 20),
}
GRIDS = {**FEATURE_GRIDS, **RERANK_GRIDS}


@dataclass(frozen=True)
class Choice:
    """One point of the search.

    Attributes:
        inference: settings of the features.
        rerank: settings of re-ranking; None for no re-ranking.
    """

    inference: InferenceSettings
    rerank: RerankSettings | None = None

    def changed(self, name: str, value: Any) -> Choice:  # noqa: ANN401
        """Return a copy with another value of one setting; a setting of re-ranking needs `rerank`."""
        if name in FEATURE_GRIDS:
            return replace(self, inference=replace(self.inference, **{name: value}))
        assert self.rerank is not None
        return replace(self, rerank=replace(self.rerank, **{name: value}))


def run_tuning(config: Config) -> dict[str, Any]:
    """Find mixing, slope, beta, lambda, k1 and k2 for MODEL.WEIGHTS; opens no image of the test set.

    One setting after the other takes its best value of a small grid, by mAP, until none changes: first
    without re-ranking, then with it; the better of the two is taken. Flip, crops, feature and precision stay
    as TEST says.

    Args:
        config: the experiment, with the data set that the network was trained on.

    Returns:
        "settings", which maps keys of the configuration to values; scores "before" (no switch on) and
        "after"; "identities" held out, and the origin of the scores. inference.yml next to the weights has
        the settings.

    Raises:
        ValueError: the network has seen every training identity, or was trained on different ones.
        FileNotFoundError: weights or data set do not exist.
    """
    experiment = read_experiment(config)
    weights = experiment.weights_to_test()
    candidate = load_candidate(experiment, _held_out(experiment, weights))
    num_identities = len({sample.pid for sample in candidate.dataset.query})
    logger.info("tuning on %d held-out training identities", num_identities)
    if num_identities < FEW_IDENTITIES:
        logger.warning(
            "%d held-out identities are few (less than %d): what is best for them may be chance; train with "
            "a larger DATA.HOLDOUT",
            num_identities,
            FEW_IDENTITIES,
        )
    inference = candidate.scoring.inference
    start = Choice(InferenceSettings(flip=inference.flip, num_crops=inference.num_crops))
    network = run_once(candidate, flip=inference.flip)
    best = search(network, start)
    settings = inference_overrides(
        best.inference,
        best.rerank,
        feature=candidate.scoring.feature,
        metric=network.metric(best.inference),
    )
    path = weights.with_name(RESULT_FILE)
    write_text(path, _as_yaml(settings, num_identities))
    return {
        **candidate.describe(),
        "identities": num_identities,
        "before": ranking_to_dict(network.score(start.inference, None)),
        "after": ranking_to_dict(network.score(best.inference, best.rerank)),
        "settings": settings,
        "file": str(path),
    }


def search(network: OnePass, start: Choice) -> Choice:
    """Return the better of a search without re-ranking and one with it that starts there; see run_tuning."""
    candidate, scores = network.candidate, dict[Choice, float]()
    with tqdm(unit="setting", desc="search", disable=None) as bar:

        def score(choice: Choice) -> float:
            if choice not in scores:
                scores[choice] = network.score(choice.inference, choice.rerank).mean_ap
                bar.update()
            return scores[choice]

        def is_allowed(choice: Choice) -> bool:
            in_order = choice.rerank is None or choice.rerank.k2 <= choice.rerank.k1
            return in_order and not _refusal(candidate, choice)

        plain = coordinate_search(start, list(FEATURE_GRIDS), score, is_allowed)
        reranked = coordinate_search(replace(plain, rerank=RerankSettings()), list(GRIDS), score, is_allowed)
        return max(plain, reranked, key=score)


def coordinate_search(
    start: Choice,
    names: Sequence[str],
    score: Callable[[Choice], float],
    is_allowed: Callable[[Choice], bool],
) -> Choice:
    """Give one setting after the other its best value until none improves; ties keep the current value.

    Args:
        start: the first point.
        names: settings in GRIDS, in the order in which they are tried.
        score: what to maximise.
        is_allowed: whether a point may be scored.
    """
    best = start
    while True:
        before = best
        for name in names:
            others = [best.changed(name, value) for value in GRIDS[name]]
            best = max([best, *(choice for choice in others if is_allowed(choice))], key=score)
        if best == before:
            return best


def _refusal(candidate: Candidate, choice: Choice) -> str:
    return refusal(candidate.net, candidate.scoring.feature, choice.inference)


def _held_out(experiment: Experiment, weights: Path) -> ReidDataset:
    """Return query and gallery of the identities that the training run of these weights held out."""
    checkpoint = read_checkpoint(weights)
    dataset = load_data(experiment.data)
    holdout = hold_out(read_holdout(checkpoint["config"]), dataset)
    if holdout is None:
        raise ValueError(
            f"{weights} was trained on every training identity (DATA.HOLDOUT 0), and what is best on people "
            "it has seen is not what is best on others: train with DATA.HOLDOUT 0.1, then tune on the rest"
        )
    if list(make_label_map(holdout.train)) != checkpoint["pids"]:
        raise ValueError(
            f"{weights} was not trained on the {dataset.name} found here without its held-out identities: "
            "give DATA.NAMES and DATA.ROOT of its training set"
        )
    check_images([*holdout.query, *holdout.gallery])
    return holdout


def _as_yaml(settings: dict[str, Any], num_identities: int) -> str:
    """Return the settings as an experiment file."""
    nested: dict[str, Any] = {}
    for key, value in settings.items():
        *sections, name = key.split(".")
        node = nested
        for section in sections:
            node = node.setdefault(section, {})
        node[name] = value
    header = f"# Chosen by tune-inference on {num_identities} held-out training identities.\n"
    return header + yaml.safe_dump(nested, sort_keys=False)
