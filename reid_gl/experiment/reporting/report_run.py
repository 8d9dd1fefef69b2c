"""Everything that a report says about one run, as plain values for JSON."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.config import changed_keys
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.breakdown import evaluate_camera_pairs
from reid_gl.evaluation.scores.rank_lists import NOTHING, RankLists, rank_with_lists
from reid_gl.evaluation.scores.sides import with_own_cameras
from reid_gl.evaluation.thresholds.distance_histograms import LARGEST_DISTANCE, distance_histograms
from reid_gl.experiment.reporting.report_map import make_map
from reid_gl.experiment.score import ScoredFeatures
from reid_gl.inference.extractor.open_weights import stored_strategies
from reid_gl.inference.extractor.stored_thresholds import load_calibration
from reid_gl.records import RankingResult
from reid_gl.report.training_curves import read_training_curves
from reid_gl.training.run_folder import CONFIG_FILE, ENVIRONMENT_FILE, LOG_FILE

logger = logging.getLogger(__name__)

NUM_SHOWN = 10
NUM_BINS = 200
MAX_RERANKED = 40_000
"""Test sets with more images are re-ranked only if TEST.RERANK asks for it: time grows with the square."""
MAX_SIDE_FILE = 10_000_000


@dataclass(frozen=True)
class Ranking:
    """Scores of a run with or without re-ranking.

    Attributes:
        run: number of the run in the report.
        is_reranked: whether distances are re-ranked.
        is_tested: whether `reid-gl test` with the same settings gives these scores.
        result: the scores.
        lists: the rank lists.
        scores: the scores for JSON.
    """

    run: int
    is_reranked: bool
    is_tested: bool
    result: RankingResult
    lists: RankLists
    scores: dict[str, Any]


def rank_run(tested: ScoredFeatures, run: int) -> list[Ranking]:
    """Rank without re-ranking, then with the settings of TEST.RERANK or, if it is off, the defaults."""
    configured = tested.candidate.scoring.rerank
    choices: list[RerankSettings | None] = [None]
    count = len(tested.query.pids) + (0 if tested.gallery is None else len(tested.gallery.pids))
    if configured is not None or count <= MAX_RERANKED:
        choices.append(configured or RerankSettings())
    rankings = []
    for rerank in choices:
        logger.info("ranking %s%s", tested.candidate.weights, "" if rerank is None else ", re-ranked")
        try:
            result, lists = rank_with_lists(
                tested.query,
                tested.gallery,
                num_shown=NUM_SHOWN,
                use_cameras=tested.candidate.preflight.use_cameras,
                **{**tested.comparison(), "rerank": rerank},
            )
        except ValueError as error:
            if rerank is None or configured is not None:
                raise
            logger.warning("the report shows no re-ranking: %s", error)
            continue
        scores = tested.describe(result, rerank)
        rankings.append(Ranking(run, rerank is not None, rerank == configured, result, lists, scores))
    return rankings


def describe_ranking(ranking: Ranking, shown: NDArray[np.int64], num_queries: int) -> dict[str, Any]:
    """Return scores, curves and rank lists for JSON.

    Args:
        ranking: what is described.
        shown: (S,) rows whose lists are described.
        num_queries: number of images before the gallery's in the report's list of images; 0 if the queries
            search one another.
    """
    lists, result = ranking.lists, ranking.result
    entries = []
    for row in shown.tolist():
        length = int((lists.places[row] != NOTHING).sum())
        places = (lists.places[row, :length] + num_queries).tolist()
        distances = [round(value, 4) for value in lists.distances[row, :length].tolist()]
        entries.append([places, distances, lists.kinds[row, :length].tolist()])
    return {
        "run": ranking.run,
        "reranked": ranking.is_reranked,
        "tested": ranking.is_tested,
        "scores": ranking.scores,
        "cmc": result.cmc.tolist(),
        "precision": lists.precision.tolist(),
        "average_precision": [
            None if math.isnan(value) else value for value in result.average_precision.tolist()
        ],
        "first_match": result.first_match.tolist(),
        "shown": entries,
    }


def describe_run(tested: ScoredFeatures, name: str) -> dict[str, Any]:
    """Return what a report says about a run beside its rankings."""
    weights = tested.candidate.weights
    folder = weights.parent
    is_run = (folder / CONFIG_FILE).is_file()
    environment = _read_json(folder / ENVIRONMENT_FILE) if is_run else None
    words = ["ablation", tested.candidate.dataset.name, tested.candidate.scoring.feature]
    config = tested.experiment.config_text
    return {
        "name": name,
        "weights": str(weights),
        "epoch": tested.candidate.checkpoint["epoch"],
        "environment": environment,
        "config": config,
        "changed": {key: str(value) for key, value in changed_keys(config).items()},
        "training": read_training_curves(folder / LOG_FILE) if is_run else None,
        "ablation": _read_ablation(folder / f"{'_'.join(words)}.json"),
        "camera_pairs": _camera_pairs(tested),
        "distances": _distances(tested),
        "map": make_map(tested.query, tested.gallery, tested.candidate.scoring.metric),
    }


def _camera_pairs(tested: ScoredFeatures) -> list[dict[str, Any]] | None:
    """Return the scores of each pair of cameras without re-ranking; None if cameras do not count."""
    if tested.gallery is None or not tested.candidate.preflight.use_cameras:
        return None
    metric = tested.candidate.scoring.metric
    return [
        {
            "query": pair.query_camid,
            "gallery": pair.gallery_camid,
            "mAP": None if pair.result is None else pair.result.mean_ap,
            "rank1": None if pair.result is None else pair.result.rank(1),
            "queries": 0 if pair.result is None else pair.result.num_scored,
        }
        for pair in evaluate_camera_pairs(tested.query, tested.gallery, metric=metric)
    ]


def _distances(tested: ScoredFeatures) -> dict[str, Any]:
    """Return the distances of pairs of one and of two people, and the calibrated thresholds if they apply."""
    query, gallery = tested.query, tested.gallery
    use_cameras = tested.candidate.preflight.use_cameras
    if gallery is None:
        query = gallery = with_own_cameras(query, use_cameras)
    elif not use_cameras:
        query, gallery = (replace(side, camids=np.full_like(side.camids, -1)) for side in (query, gallery))
    counts, means = distance_histograms(query, gallery, num_bins=NUM_BINS)
    points, note = _thresholds(tested)
    return {
        "largest": LARGEST_DISTANCE,
        "same": counts[0].tolist(),
        "different": counts[1].tolist(),
        "mean_cosine_same": None if math.isnan(means[0]) else float(means[0]),
        "mean_cosine_different": None if math.isnan(means[1]) else float(means[1]),
        "points": points,
        "note": note,
    }


def _thresholds(tested: ScoredFeatures) -> tuple[list[dict[str, Any]], str]:
    """Return the thresholds of the checkpoint, or none and a sentence that says why."""
    calibration = load_calibration(tested.candidate.weights)
    if calibration is None:
        return [], "No thresholds: reid-gl calibrate measures and stores them."
    if stored_strategies(tested.candidate.checkpoint) != tested.candidate.scoring.strategies:
        return [], (
            "The thresholds of the checkpoint are not shown: they hold for the features that it stores "
            "(TEST.FEATURE and strategies), and this report is of others."
        )
    return [asdict(point) for point in calibration.points], f"Thresholds measured on {calibration.source}."


def _read_ablation(path: Path) -> dict[str, Any] | None:
    """Return the result of `test --ablate`; None if there is none, or the file is something else."""
    found = _read_json(path)
    if found is None:
        return None
    try:
        rows = [
            {
                "on": [str(name) for name in row["on"]],
                **{key: _finite(row[key]) for key in ("rank1", "mAP", "gain")},
            }
            for row in found["rows"]
        ]
        return {
            "rows": rows,
            "switches": [str(name) for name in found["switches"]],
            "caution": str(found["caution"]),
        }
    except (KeyError, TypeError, ValueError, OverflowError):
        logger.warning("%s is no result of test --ablate and is left out", path)
        return None


def _read_json(path: Path) -> dict[str, Any] | None:
    if not path.is_file() or path.stat().st_size > MAX_SIDE_FILE:
        return None
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        found = json.loads(text, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        logger.warning("%s is not a JSON object and is left out", path)
        return None
    return found


def _finite(number: str | float) -> float:
    """Return a number that a page can hold; JSON has no NaN and no infinity, but 1e999 reads as infinity."""
    value = float(number)
    if not math.isfinite(value):
        raise ValueError(f"{number} is no number")
    return value


def choose_queries(average_precision: Sequence[float], limit: int) -> NDArray[np.int64]:
    """Choose the queries whose lists a report shows: all, or the worst, the best and random ones.

    Args:
        average_precision: (Q,) NaN where a query has no match; those count as worst.
        limit: number of queries to choose at most.

    Returns:
        Rows in ascending order.
    """
    order = np.argsort(np.nan_to_num(np.asarray(average_precision), nan=-1.0), kind="stable")
    if len(order) <= limit:
        return np.arange(len(order))
    worst, best = order[: limit // 3], order[len(order) - limit // 3 :]
    middle = order[limit // 3 : len(order) - limit // 3]
    chosen = np.random.default_rng(0).choice(middle, limit - 2 * (limit // 3), replace=False)
    return np.sort(np.concatenate([worst, best, chosen]))
