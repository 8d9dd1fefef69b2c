"""`reid-gl check-dataset`: show what a data set contains and find its errors before training."""

from __future__ import annotations

import argparse
import json
import logging
import sys

from reid_gl.cli.own_data_arguments import add_own_data_arguments, own_data_settings
from reid_gl.cli.progress import progress_bar
from reid_gl.experiment.checking.check_dataset import run_check_dataset

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("name", metavar="NAME", help="name of the data set, as in DATA.NAMES")
    parser.add_argument("root", metavar="ROOT", help="its folder, or the parent folder")
    add_own_data_arguments(parser)
    parser.add_argument("--html", metavar="FILE", help="write a contact sheet to this file")
    parser.add_argument("--force", action="store_true", help="replace FILE even if it is not a contact sheet")


def run(options: argparse.Namespace) -> int:
    """Check; table and problems go to stderr, the JSON object to stdout; exit code 1 if there are errors."""
    with progress_bar(unit="image", description="reading") as show:
        summary = run_check_dataset(
            options.name,
            options.root,
            **own_data_settings(options),
            sheet=options.html,
            force=options.force,
            progress=show,
        )
    print(summary["table"], file=sys.stderr)
    for sentence in summary["warnings"]:
        logger.warning("%s", sentence)
    for sentence in summary["errors"]:
        logger.error("%s", sentence)
    if summary["sound"]:
        logger.info("%s: ready for training and scoring", summary["name"])
    print(json.dumps(summary))
    return 0 if summary["sound"] else 1
