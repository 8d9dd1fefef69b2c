"""`reid-gl test`: score a checkpoint."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from typing import Any

from reid_gl.cli.experiment import (
    add_config_arguments,
    log_little_of_scoring,
    prepare_torch,
    print_all_scores,
    print_scores,
    read_arguments,
)
from reid_gl.cli.foreign import add_foreign_arguments, read_foreign
from reid_gl.config import Experiment
from reid_gl.experiment.comparing.ablate import run_ablation
from reid_gl.experiment.reporting.report import check_report_path, write_report
from reid_gl.experiment.score import ScoredFeatures, keep_strategies, run_tests
from reid_gl.inference.extractor.foreign import Foreign
from reid_gl.report.ablation import format_ablation

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)
    add_foreign_arguments(parser)
    parser.add_argument(
        "--ablate",
        action="store_true",
        help="score every combination of mixing, slope, beta, flip and re-ranking",
    )
    parser.add_argument(
        "--keep",
        action="store_true",
        help="store the feature and the strategies of TEST in the checkpoint, for extraction and exports",
    )
    parser.add_argument("--report", metavar="FILE", help="write a report on the scores to this HTML file")
    parser.add_argument("--force", action="store_true", help="replace FILE even if it is not a report")


def run(options: argparse.Namespace) -> int:
    """Score MODEL.WEIGHTS on every test set in DATA."""
    experiment = read_arguments(options)
    prepare_torch(experiment.seed)
    foreign = read_foreign(options)
    if not foreign.is_empty() and (options.ablate or options.keep):
        raise ValueError("--ablate and --keep are for checkpoints of reid_gl: leave them out")
    if options.ablate and options.keep:
        raise ValueError("--ablate scores many settings, --keep stores one: leave one of them out")
    if options.ablate and options.report:
        raise ValueError(
            "--ablate writes no report: leave it out, the report shows the result of an earlier one"
        )
    if not options.ablate:
        scores = _score(options, experiment, foreign)
        if options.keep:
            keep_strategies(experiment)
        if len(scores) > 1:
            print_all_scores(scores)
        else:
            print_scores(*scores.values())
        return 0
    log_little_of_scoring()
    summary = run_ablation(experiment)
    print(format_ablation(summary), file=sys.stderr)
    logger.warning("%s", summary["caution"])
    print(json.dumps(summary))
    return 0


def _score(
    options: argparse.Namespace, experiment: Experiment, foreign: Foreign
) -> dict[str, dict[str, Any]]:
    """Score on every test set, and write a report if one is asked for."""
    if options.report is None:
        return run_tests(experiment, foreign=foreign)
    page = check_report_path(options.report, force=options.force)
    if "," in experiment.data.test_names:
        raise ValueError("a report shows one test set: name one in DATA.TEST_NAMES, or leave --report out")
    tested: list[ScoredFeatures] = []
    scores = run_tests(experiment, foreign=foreign, also=tested.append)
    summary = write_report(tested, page)
    logger.info("%s (%.1f MB): open it in a browser", summary["report"], summary["bytes"] / 1e6)
    return scores
