"""`reid-gl compare-losses`: train several losses with the same budget over several seeds."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from reid_gl.cli.experiment import add_config_arguments, add_jobs_argument, prepare_torch, split_overrides
from reid_gl.cli.signals import noted_signals
from reid_gl.experiment.comparing.compare_losses import Contender, parse_losses, run_comparison, vary_setting
from reid_gl.report.comparison import format_comparison
from reid_gl.training.fit import Interrupted

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)
    parser.add_argument(
        "--losses",
        nargs="+",
        default=[],
        metavar="LOSS",
        help="names as in LOSS.NAMES, or ce, ms, rll; join with +, also with weights (else 1): ce "
        "ce+group ce+0.4*rll",
    )
    parser.add_argument(
        "--vary",
        nargs="+",
        default=[],
        metavar="KEY VALUE",
        help="compare values of one key instead: --vary LOSS.GROUP.TEMPERATURE 10 40 70",
    )
    parser.add_argument(
        "--seeds", type=int, default=3, help="number of runs per contender; default: %(default)s"
    )
    parser.add_argument("--output", metavar="FOLDER", help="default: runs/compare_<name of the config file>")
    add_jobs_argument(parser)


def run(options: argparse.Namespace) -> int:
    """Compare the losses; the table goes to stderr, the JSON object to stdout."""
    contenders, overrides = read_contenders(options.losses, options.vary)
    overrides = [*options.overrides, *overrides]
    prepare_torch(0)
    folder = Path(options.output or f"runs/compare_{Path(options.config_file or 'default').stem}")
    try:
        with noted_signals() as stop_signal:
            summary = run_comparison(
                options.config_file,
                overrides,
                contenders,
                num_seeds=options.seeds,
                folder=folder,
                num_jobs=options.jobs,
                stop_signal=stop_signal,
            )
    except Interrupted as stop:
        logger.warning("stopped by signal %d; run the same command again to resume", stop.signal_number)
        return 128 + stop.signal_number
    print(format_comparison(summary["results"]), file=sys.stderr)
    logger.info("figure: %s", folder / "comparison.png")
    print(json.dumps(summary))
    return 0


def read_contenders(losses: Sequence[str], vary: Sequence[str]) -> tuple[list[Contender], list[str]]:
    """Read --losses and --vary, and return the overrides that argparse took for values of these options.

    Raises:
        ValueError: a loss cannot be read, or a key has no values.
    """
    losses, overrides = split_overrides(losses)
    contenders = [parse_losses(text) for text in losses]
    if not vary:
        return contenders, overrides
    key, (values, more) = vary[0], split_overrides(vary[1:])
    if not values or len(contenders) > 1:
        raise ValueError(
            "--vary needs a KEY and at least one VALUE, and can be combined with at most one loss in --losses"
        )
    return vary_setting(key, values, contenders[0] if contenders else None), [*overrides, *more]
