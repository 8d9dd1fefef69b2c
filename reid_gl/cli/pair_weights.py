"""`reid-gl pair-weights`: draw the weights that losses give to the pairs of one batch."""

from __future__ import annotations

import argparse
import json

from reid_gl.cli.experiment import add_config_arguments, prepare_torch, split_overrides
from reid_gl.config import load_experiment
from reid_gl.experiment.comparing.pair_weights import run_pair_weights


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)
    parser.add_argument(
        "--losses",
        nargs="+",
        required=True,
        metavar="NAME",
        help="names as in LOSS.NAMES, or ms, rll: multi_similarity triplet",
    )
    parser.add_argument(
        "--output", default="pair_weights.png", metavar="FILE", help="figure, .png, .pdf or .svg"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace FILE even if it is not a figure of this command"
    )


def run(options: argparse.Namespace) -> int:
    """Draw the weights on a batch of MODEL.WEIGHTS, or on a synthetic one; the numbers go to stdout."""
    names, overrides = split_overrides(options.losses)
    experiment = load_experiment(options.config_file, [*options.overrides, *overrides])
    prepare_torch(experiment.seed)
    print(json.dumps(run_pair_weights(experiment, names, options.output, force=options.force)))
    return 0
