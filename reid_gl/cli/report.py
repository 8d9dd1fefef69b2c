"""`reid-gl report`: show one or several runs on one HTML page."""

from __future__ import annotations

import argparse
import json
import logging

from reid_gl.cli.experiment import prepare_torch, split_overrides
from reid_gl.experiment.reporting.report import run_report

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "runs",
        nargs="+",
        metavar="RUN",
        help="run folders with the same test set, then KEY VALUE pairs that replace their settings, such as "
        "DATA.ROOT /data",
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="HTML file to write")
    parser.add_argument("--force", action="store_true", help="replace FILE even if it is not a report")


def run(options: argparse.Namespace) -> int:
    """Score the runs and write the page; the scores go to stdout as JSON."""
    runs, overrides = split_overrides(options.runs)
    prepare_torch(0)
    summary = run_report(runs, options.out, overrides=overrides, force=options.force)
    logger.info("%s (%.1f MB): open it in a browser", summary["report"], summary["bytes"] / 1e6)
    print(json.dumps(summary))
    return 0
