"""`reid-gl test`: score a checkpoint."""

from __future__ import annotations

import argparse

from reid_gl.cli.experiment import add_config_arguments, prepare_torch, print_scores, read_config
from reid_gl.experiment import run_test


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add_config_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Score MODEL.WEIGHTS on DATA."""
    config = read_config(options)
    prepare_torch(config.SEED)
    print_scores(run_test(config))
    return 0
