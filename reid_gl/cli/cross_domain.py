"""`reid-gl cross-domain`: train on each of several data sets and test on all of them."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from reid_gl.cli.experiment import (
    add_config_arguments,
    add_jobs_argument,
    log_little_of_scoring,
    prepare_torch,
    split_overrides,
)
from reid_gl.cli.signals import noted_signals
from reid_gl.experiment.comparing.cross_domain import IMAGE_FILE, run_cross_domain
from reid_gl.report.cross_domain import format_matrix
from reid_gl.training.fit import Interrupted

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)
    parser.add_argument(
        "--train",
        nargs="+",
        required=True,
        metavar="NAMES",
        help="one training run each: data sets as in DATA.NAMES; join several with commas",
    )
    parser.add_argument("--test", nargs="+", required=True, metavar="NAME", help="data sets to test on")
    parser.add_argument(
        "--output", metavar="FOLDER", help="default: runs/cross_domain_<name of the config file>"
    )
    add_jobs_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Fill the matrix; the table goes to stderr, the JSON object to stdout."""
    train, more = split_overrides(options.train)
    test, most = split_overrides(options.test)
    prepare_torch(0)
    log_little_of_scoring()
    folder = Path(options.output or f"runs/cross_domain_{Path(options.config_file or 'default').stem}")
    try:
        with noted_signals() as stop_signal:
            summary = run_cross_domain(
                options.config_file,
                [*options.overrides, *more, *most],
                train=train,
                test=test,
                folder=folder,
                num_jobs=options.jobs,
                stop_signal=stop_signal,
            )
    except Interrupted as stop:
        logger.warning("stopped by signal %d; run the same command again to resume", stop.signal_number)
        return 128 + stop.signal_number
    print(format_matrix(summary["rows"]), file=sys.stderr)
    logger.info("figure: %s", folder / IMAGE_FILE)
    print(json.dumps(summary))
    return 0
