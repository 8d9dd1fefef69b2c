"""`reid-gl color-histogram`: score colour histograms as a baseline on a data set."""

from __future__ import annotations

import argparse

from reid_gl.cli.experiment import add_config_arguments, print_scores, read_arguments
from reid_gl.experiment.color_histogram import run_color_histogram


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_config_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Score the baseline on the data set in DATA."""
    print_scores(run_color_histogram(read_arguments(options)))
    return 0
