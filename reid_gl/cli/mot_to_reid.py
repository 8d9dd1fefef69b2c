"""`reid-gl mot-to-reid`: crop MOT Challenge ground truth into the layout of Market-1501."""

from __future__ import annotations

import argparse
import json
import logging

from reid_gl.cli.progress import progress_bar
from reid_gl.data.mot.crops import CropRule, find_sequences
from reid_gl.data.mot.to_reid import write_reid_crops

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    rule = CropRule()
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="sequences, or folders of sequences")
    parser.add_argument("--out", required=True, metavar="FOLDER", help="must not exist yet")
    parser.add_argument(
        "--min-visibility",
        type=float,
        default=rule.min_visibility,
        metavar="SHARE",
        help="smallest visible share of a person; default: %(default)s",
    )
    parser.add_argument("--min-width", type=int, default=rule.min_width, metavar="PIXELS")
    parser.add_argument("--min-height", type=int, default=rule.min_height, metavar="PIXELS")
    parser.add_argument(
        "--stride", type=int, default=rule.stride, metavar="N", help="use every N-th frame only"
    )
    parser.add_argument(
        "--train-share",
        type=float,
        default=rule.train_share,
        metavar="SHARE",
        help="share of training identities; default: %(default)s",
    )
    parser.add_argument(
        "--shared-identities",
        action="store_true",
        help="the sequences are cameras of one place, and an id is the same person in all of them",
    )
    parser.add_argument(
        "--classes",
        type=int,
        nargs="+",
        default=rule.classes,
        metavar="CLASS",
        help="classes of gt.txt to crop; default: 1, pedestrians",
    )
    parser.add_argument("--seed", type=int, default=rule.seed, help="seed of the random split; default: 0")


def run(options: argparse.Namespace) -> int:
    """Crop the people and print the counts."""
    rule = CropRule(
        min_visibility=options.min_visibility,
        min_width=options.min_width,
        min_height=options.min_height,
        stride=options.stride,
        train_share=options.train_share,
        shared_identities=options.shared_identities,
        seed=options.seed,
        classes=tuple(options.classes),
    )
    with progress_bar(unit="frame", description="cropping") as show:
        counts = write_reid_crops(find_sequences(options.folders), options.out, rule, progress=show)
    if counts["queries_with_match"] < counts["query"]:
        logger.warning(
            "%d of %d queries show a person who is not seen by another camera; they are ignored when the set "
            "is scored%s",
            counts["query"] - counts["queries_with_match"],
            counts["query"],
            "" if options.shared_identities else ": use --shared-identities for cameras of one place",
        )
    print(json.dumps({"folder": options.out, **counts}))
    return 0
