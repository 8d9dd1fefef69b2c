"""`reid-gl demo`: render synthetic people, train and test on them, and print a table."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from reid_gl.cli.experiment import prepare_torch
from reid_gl.cli.progress import progress_bar
from reid_gl.cli.signals import noted_signals
from reid_gl.experiment.demo import SUMMARY_FILE, run_demo
from reid_gl.report.scores import format_scores
from reid_gl.training.fit import Interrupted

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--seed", type=int, default=0, help="seed of the people and of the training run; default: 0"
    )
    parser.add_argument("--out", default="runs/demo", metavar="FOLDER", help="default: %(default)s")
    parser.add_argument(
        "--data", metavar="FOLDER", help="default: data/synthetic for seed 0, else data/synthetic_<seed>"
    )
    parser.add_argument(
        "overrides", nargs="*", metavar="KEY VALUE", help="overrides of configs/synthetic.yml"
    )


def run(options: argparse.Namespace) -> int:
    """Run the demo; print its table and its summary."""
    prepare_torch(options.seed)
    folder = Path(options.out)
    data = Path(options.data or ("data/synthetic" if options.seed == 0 else f"data/synthetic_{options.seed}"))
    try:
        with noted_signals() as stop_signal, progress_bar(unit="image", description="rendering") as show:
            summary = run_demo(
                folder,
                data,
                seed=options.seed,
                overrides=tuple(options.overrides),
                stop_signal=stop_signal,
                progress=show,
            )
    except Interrupted as stop:
        logger.warning("stopped by signal %d; run the demo again to resume", stop.signal_number)
        return 128 + stop.signal_number
    rows = {
        "colour histogram": summary["colour_histogram"],
        "untrained network": summary["untrained"],
        "trained network": summary["trained"],
    }
    print(format_scores(rows), file=sys.stderr)
    logger.info("seconds: %s", summary["seconds"])
    logger.info("written to %s", folder / SUMMARY_FILE)
    print(json.dumps(summary))
    return 0
