"""`reid-gl calibrate`: distance thresholds for deciding whether two images show the same person."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path

from reid_gl.cli.experiment import KEY, add_config_arguments, prepare_torch
from reid_gl.cli.foreign import add_foreign_arguments, read_foreign
from reid_gl.config import load_experiment
from reid_gl.evaluation.feature_files import load_features
from reid_gl.evaluation.thresholds.measure import calibrate
from reid_gl.experiment.measure_thresholds import calibrate_weights, check_storable, report_calibration
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.own_files import check_replaceable
from reid_gl.report.thresholds import format_calibration

logger = logging.getLogger(__name__)

FIGURE_SUFFIXES = (".png", ".pdf", ".svg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "weights",
        nargs="?",
        metavar="WEIGHTS",
        help="checkpoint, exported file or foreign state dict; the thresholds are stored in it or next to it",
    )
    add_config_arguments(parser)
    add_foreign_arguments(parser)
    parser.add_argument(
        "--features",
        metavar="FILE",
        help="calibrate these features instead: .npz, .mat, .h5 or .csv as for evaluate-features",
    )
    parser.add_argument(
        "--on",
        choices=("held-out", "test"),
        default="held-out",
        help="training identities held out by the checkpoint's run, or the test set of DATA; default: "
        "%(default)s",
    )
    parser.add_argument(
        "--output", default="calibration.png", metavar="FILE", help="figure, .png, .pdf or .svg"
    )
    parser.add_argument("--force", action="store_true", help="replace FILE even if it is not such a figure")


def run(options: argparse.Namespace) -> int:
    """Calibrate; the table goes to stderr, the JSON object to stdout."""
    weights, overrides = options.weights, options.overrides
    if weights is not None and KEY.fullmatch(weights):  # not a file, but the first override
        weights, overrides = None, [weights, *overrides]
    figure = Path(options.output)
    if figure.suffix.lower() not in FIGURE_SUFFIXES:
        raise ValueError(f"cannot draw {figure}: its name must end in {', '.join(FIGURE_SUFFIXES)}")
    check_replaceable(figure, force=options.force)
    path = None if weights is None else find_weights(weights)
    foreign = read_foreign(options)
    if options.features and not foreign.is_empty():
        raise ValueError(
            "--features are already computed: leave out the arguments about a network and its images"
        )
    if path is not None:
        check_storable(path)
    experiment = load_experiment(options.config_file, overrides)
    if options.features:
        calibration = calibrate(*load_features(options.features), source=options.features)
    elif path is None:
        raise ValueError("nothing to calibrate: give a weights file, or --features with a features file")
    else:
        prepare_torch(experiment.seed)
        calibration = calibrate_weights(experiment, path, on=options.on, foreign=foreign)
    result = report_calibration(calibration, path, figure)
    print(format_calibration(calibration), file=sys.stderr)
    logger.info("figure: %s", figure)
    if result["file"]:
        logger.info("thresholds stored in %s", result["file"])
    print(json.dumps(result))
    return 0
