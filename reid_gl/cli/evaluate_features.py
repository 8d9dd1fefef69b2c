"""`reid-gl evaluate-features`: score features that any program made."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from dataclasses import asdict
from typing import Any

from reid_gl.evaluation import RerankSettings, evaluate_features
from reid_gl.evaluation.feature_files import load_features
from reid_gl.records import Features
from reid_gl.report.scores import format_scores, ranking_to_dict
from reid_gl.similarity import METRICS

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    defaults = RerankSettings()
    parser.add_argument("file", help=".npz, .mat, .h5 or .csv with query, gallery, their pids and camids")
    parser.add_argument("--metric", choices=METRICS, default="cosine", help="default: %(default)s")
    parser.add_argument("--no-cameras", action="store_true", help="matches of the query's own camera count")
    parser.add_argument("--rerank", action="store_true", help="score k-reciprocal re-ranking as well")
    parser.add_argument("--k1", type=int, default=defaults.k1, help="default: %(default)s")
    parser.add_argument("--k2", type=int, default=defaults.k2, help="default: %(default)s")
    parser.add_argument(
        "--lambda",
        type=float,
        default=defaults.lambda_value,
        dest="lambda_value",
        help="default: %(default)s",
    )
    parser.add_argument("--max-memory-gb", type=float, metavar="GB", help="of re-ranking; default: no limit")


def run(options: argparse.Namespace) -> int:
    """The table goes to stderr, the JSON object to stdout."""
    query, gallery = load_features(options.file)
    use_cameras = not options.no_cameras and has_cameras(query, gallery)
    settings: dict[str, Any] = {"metric": options.metric, "use_cameras": use_cameras}
    rows = {options.metric: ranking_to_dict(evaluate_features(query, gallery, **settings))}
    rerank = RerankSettings(options.k1, options.k2, options.lambda_value)
    if options.rerank:
        result = evaluate_features(
            query, gallery, rerank=rerank, max_memory_gb=options.max_memory_gb, **settings
        )
        rows[f"{options.metric}, re-ranked"] = ranking_to_dict(result)
    print(format_scores(rows), file=sys.stderr)
    summary = {"file": options.file, **settings, "rerank": asdict(rerank) if options.rerank else None}
    print(json.dumps({**summary, "scores": rows}))
    return 0


def has_cameras(query: Features, gallery: Features) -> bool:
    """Whether the camera rule applies; says so if it does not."""
    known = all((side.camids >= 0).all() for side in (query, gallery))
    if not known:
        logger.warning("not every picture has a camera: matches of the query's own camera count")
    return bool(known)
