"""Arguments of commands that read your own images: how their paths are read."""

from __future__ import annotations

import argparse
from typing import Any


def add_own_data_arguments(parser: argparse.ArgumentParser) -> None:
    """Add --pattern, --split-map and --leave-out."""
    parser.add_argument(
        "--pattern", default="", metavar="REGEX", help="regular expression for the data set `pattern`"
    )
    parser.add_argument(
        "--split-map",
        default="",
        metavar="NAME=SPLIT,...",
        help="meaning of other split names in `pattern` and `folders`: probe=query,extra=ignore,*=train",
    )
    parser.add_argument(
        "--leave-out", default="", metavar="REGEX", help="paths that the data set `pattern` leaves out"
    )


def own_data_settings(options: argparse.Namespace) -> dict[str, Any]:
    """Return these arguments as load_dataset takes them."""
    return {"pattern": options.pattern, "split_map": options.split_map, "leave_out": options.leave_out}
