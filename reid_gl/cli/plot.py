"""`reid-gl plot`: the figures of a report as image files, for papers."""

from __future__ import annotations

import argparse
import json

from reid_gl.experiment.reporting.plot import run_plot
from reid_gl.report.run_figures import FORMS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("report", metavar="REPORT", help="page that report or test --report has written")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder for the figures")
    parser.add_argument("--format", choices=FORMS, default="svg", help="default: svg")
    parser.add_argument(
        "--force", action="store_true", help="replace files even if they are not figures of this command"
    )


def run(options: argparse.Namespace) -> int:
    """Draw the figures; their names go to stdout as JSON."""
    print(json.dumps(run_plot(options.report, options.out, form=options.format, force=options.force)))
    return 0
