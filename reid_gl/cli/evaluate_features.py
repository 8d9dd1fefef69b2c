"""`reid-gl evaluate-features`: score features from any program."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from reid_gl.evaluation import (
    CameraPair,
    GnnRerankSettings,
    RerankSettings,
    evaluate_camera_pairs,
    evaluate_features,
    evaluate_single_shot,
    verify_pairs,
)
from reid_gl.evaluation.blocks import distance_blocks
from reid_gl.evaluation.feature_files import load_features
from reid_gl.evaluation.scores.reassociation import GAPS, evaluate_reassociation
from reid_gl.evaluation.sequence_features import load_sequence_features
from reid_gl.experiment.group_scores import score_groups
from reid_gl.records import Features
from reid_gl.report.scores import RANKS, format_camera_pairs, format_scores, ranking_to_dict
from reid_gl.similarity import METRICS

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    defaults = RerankSettings()
    parser.add_argument(
        "file", help=".npz, .mat, .h5 or .csv with query, gallery, their pids and camids; or .npz of extract"
    )
    parser.add_argument("--metric", choices=METRICS, default="cosine", help="default: %(default)s")
    parser.add_argument("--no-cameras", action="store_true", help="count matches from the query's own camera")
    parser.add_argument(
        "--camera-pairs", action="store_true", help="also compute mAP for each pair of cameras"
    )
    parser.add_argument(
        "--verification",
        action="store_true",
        help="also compute true positive rates at fixed false positive rates",
    )
    parser.add_argument(
        "--single-shot",
        action="store_true",
        help="also score CUHK03's old protocol, with one gallery image per person",
    )
    parser.add_argument(
        "--reassociation",
        type=int,
        nargs="*",
        metavar="FRAMES",
        help="instead, search each person among those that the same camera sees so many frames later; the "
        f"file must be a .npz of extract with frames; without numbers: {' '.join(map(str, GAPS))}",
    )
    parser.add_argument("--rerank", action="store_true", help="also score k-reciprocal re-ranking")
    parser.add_argument(
        "--gnn-rerank",
        action="store_true",
        help="also score GNN re-ranking, an approximation that uses cosine similarity",
    )
    parser.add_argument("--k1", type=int, default=defaults.k1, help="default: %(default)s")
    parser.add_argument("--k2", type=int, default=defaults.k2, help="default: %(default)s")
    parser.add_argument(
        "--lambda",
        type=float,
        default=defaults.lambda_value,
        dest="lambda_value",
        help="default: %(default)s",
    )
    parser.add_argument(
        "--max-memory-gb", type=float, metavar="GB", help="memory limit for re-ranking; default: none"
    )


def run(options: argparse.Namespace) -> int:
    """Score; the table goes to stderr, the JSON object to stdout."""
    if options.reassociation is not None:
        return _reassociate(options.file, options.reassociation or GAPS, options.metric)
    query, gallery = load_features(options.file)
    if gallery is None:
        _refuse_what_needs_a_gallery(options)
    use_cameras = not options.no_cameras and has_cameras(query, gallery or query)
    settings: dict[str, Any] = {"metric": options.metric, "use_cameras": use_cameras}
    rerank = RerankSettings(options.k1, options.k2, options.lambda_value)
    ways: dict[str, RerankSettings | GnnRerankSettings | None] = {options.metric: None}
    if options.rerank:
        ways[f"{options.metric}, re-ranked"] = rerank
    if options.gnn_rerank:
        ways[f"{options.metric}, GNN (approximate)"] = GnnRerankSettings()
    rows: dict[str, Any] = {}
    groups: dict[str, dict[str, Any]] = {}
    for name, way in ways.items():
        limit = options.max_memory_gb if way else None
        result = evaluate_features(query, gallery, rerank=way, max_memory_gb=limit, **settings)
        rows[name] = ranking_to_dict(result)
        if not options.no_cameras and not isinstance(way, GnnRerankSettings):
            groups[name] = score_groups(
                query, gallery, metric=options.metric, rerank=way, max_memory_gb=limit
            ).get("groups", {})
    print(format_scores(rows | _rows_of_groups(groups)), file=sys.stderr)
    summary = {"file": options.file, **settings, "rerank": asdict(rerank) if options.rerank else None}
    if gallery is not None:
        summary |= _compare_sides(query, gallery, settings, options)
    if any(groups.values()):
        summary["groups"] = groups
    print(json.dumps({**summary, "scores": rows}))
    return 0


def _rows_of_groups(groups: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the scores of clothes and days as rows of the table; protocols without a match have none."""
    return {
        f"{name}, {protocol.replace('_', ' ')}": scores
        for name, protocols in groups.items()
        for protocol, scores in protocols.items()
        if scores is not None
    }


def _reassociate(file: str, gaps: Sequence[int], metric: str) -> int:
    features, frames = load_sequence_features(file)
    results = evaluate_reassociation(features, frames, gaps=gaps, metric=metric)
    for result in results:
        print(
            f"{result.gap} frames later: {100 * result.rank1:.1f} % are the nearest (chance "
            f"{100 * result.chance:.1f} %), {100 * result.rank5:.1f} % among the five nearest; "
            f"{result.num_scored:,} images",
            file=sys.stderr,
        )
    summary = {"file": file, "metric": metric, "reassociation": [asdict(result) for result in results]}
    print(json.dumps(summary))
    return 0


def _refuse_what_needs_a_gallery(options: argparse.Namespace) -> None:
    flags = ("camera_pairs", "verification", "single_shot")
    asked = [f"--{flag.replace('_', '-')}" for flag in flags if getattr(options, flag)]
    if asked:
        raise ValueError(
            f"{', '.join(asked)} compares queries with a gallery, but {options.file} has no gallery: every "
            "image searches all the others. Extract from a table with the column split, or use reid-gl "
            "calibrate, which gives accept rates over all pairs of images"
        )


def _compare_sides(
    query: Features, gallery: Features, settings: dict[str, Any], options: argparse.Namespace
) -> dict[str, Any]:
    """Compute the optional scores that compare queries with a gallery."""
    found: dict[str, Any] = {}
    if options.camera_pairs:
        pairs = evaluate_camera_pairs(query, gallery, metric=options.metric)
        print(format_camera_pairs(pairs), file=sys.stderr)
        found["camera_pairs"] = [_pair_to_dict(pair) for pair in pairs]
    if options.verification:
        found["verification"] = _verify(query, gallery, settings)
    if options.single_shot:
        found["single_shot"] = _single_shot(query, gallery, settings)
    return found


def _verify(query: Features, gallery: Features, settings: dict[str, Any]) -> dict[str, Any]:
    result = verify_pairs(query, gallery, **settings)
    points = []
    for point in result.points:
        words = point.reason or f"{100 * point.true_positive_rate:.2f} % of genuine pairs are accepted"
        print(f"false positive rate {point.asked_rate:g}: {words}", file=sys.stderr)
        rates = None if point.reason else point.true_positive_rate
        points.append({"false_positive_rate": point.asked_rate, "true_positive_rate": rates})
    print(f"equal error rate: {100 * result.equal_error_rate:.2f} %", file=sys.stderr)
    return {"equal_error_rate": result.equal_error_rate, "points": points}


def _single_shot(query: Features, gallery: Features, settings: dict[str, Any]) -> dict[str, Any]:
    blocks = distance_blocks(query.embeddings, gallery.embeddings, metric=settings["metric"])
    cameras = (query.camids, gallery.camids) if settings["use_cameras"] else ()
    result = evaluate_single_shot(np.concatenate([*blocks]), query.pids, gallery.pids, *cameras)
    scores = {f"rank{k}": float(result.cmc[k - 1]) for k in RANKS}
    expected = {f"rank{k}": float(result.expected_cmc[k - 1]) for k in RANKS}
    rows = {"one image per person": scores, "expected value": expected}
    print(format_scores(rows), file=sys.stderr)
    return {"sampled": scores, "expected": expected}


def _pair_to_dict(pair: CameraPair) -> dict[str, Any]:
    scores = None if pair.result is None else ranking_to_dict(pair.result)
    return {"query_camid": pair.query_camid, "gallery_camid": pair.gallery_camid, "scores": scores}


def has_cameras(query: Features, gallery: Features) -> bool:
    """Whether all cameras are known, so that the camera rule applies; log a warning if not."""
    known = all((side.camids >= 0).all() for side in (query, gallery))
    if not known:
        logger.warning("not every image has a camera: matches from the query's own camera count")
    return bool(known)
