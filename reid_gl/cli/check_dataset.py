"""`reid-gl check-dataset`: what a data set holds and what is wrong with it, before training."""

from __future__ import annotations

import argparse
import json
import logging
import sys

from tqdm import tqdm

from reid_gl.experiment.check_dataset import run_check_dataset

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("name", metavar="NAME", help="of the data set, as in DATA.NAMES")
    parser.add_argument("root", metavar="ROOT", help="its folder or the one around it")
    parser.add_argument("--pattern", default="", metavar="REGEX", help="of the data set `pattern`")
    parser.add_argument("--html", metavar="FILE", help="write a contact sheet")


def run(options: argparse.Namespace) -> int:
    """Table and faults go to stderr, a JSON object to stdout; the exit code is 1 if there are errors."""
    with tqdm(unit="image", desc="reading", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        summary = run_check_dataset(
            options.name, options.root, pattern=options.pattern, sheet=options.html, progress=show
        )
    print(summary["table"], file=sys.stderr)
    for sentence in summary["warnings"]:
        logger.warning("%s", sentence)
    for sentence in summary["errors"]:
        logger.error("%s", sentence)
    if summary["sound"]:
        logger.info("%s: nothing stands in the way of training and scoring", summary["name"])
    print(json.dumps(summary))
    return 0 if summary["sound"] else 1
