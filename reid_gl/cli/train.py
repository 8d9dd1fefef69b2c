"""`reid-gl train`: train a network, then score it on the test set."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace

from reid_gl.cli.experiment import add_config_arguments, prepare_torch, print_scores, read_arguments
from reid_gl.cli.signals import noted_signals
from reid_gl.distributed.agreement import agreement
from reid_gl.distributed.ranks import is_first, join_ranks
from reid_gl.experiment import run_test, run_training
from reid_gl.training.fit import Interrupted

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)
    parser.add_argument("--resume", action="store_true", help="resume the run in OUTPUT_DIR")
    parser.add_argument("--no-test", action="store_true", help="do not score the test set at the end")


def run(options: argparse.Namespace) -> int:
    """Train and test; after a signal, save everything and return exit code 130 or 143."""
    with join_ranks():
        return _train_and_test(options)


def _train_and_test(options: argparse.Namespace) -> int:
    with agreement():
        experiment = read_arguments(options)
    prepare_torch(experiment.seed)
    try:
        with noted_signals() as stop_signal:
            weights, dataset = run_training(experiment, resume=options.resume, stop_signal=stop_signal)
    except Interrupted as stop:
        logger.warning("%s", stop)
        return 128 + stop.signal_number
    logger.info("weights: %s", weights)
    if not options.no_test:
        scores = run_test(replace(experiment, weights=weights), dataset)
        if is_first():
            print_scores(scores)
    return 0
