"""`reid-gl make-split`: from a labelled folder to a table with training set, query and gallery."""

from __future__ import annotations

import argparse
import dataclasses
import json

from reid_gl.data.datasets.reading.counts import count_dataset
from reid_gl.data.preparing.make_split import (
    QUERIES_PER_CAMERA,
    TRAIN_SHARE,
    make_split,
    read_labelled_folder,
)
from reid_gl.data.preparing.write_dataset import write_csv


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "folder", metavar="FOLDER", help="holds a folder of pictures for each identity; any, with --pattern"
    )
    parser.add_argument(
        "--out", required=True, metavar="FILE", help=".csv in FOLDER or around it; must not exist yet"
    )
    parser.add_argument(
        "--pattern",
        default="",
        metavar="REGEX",
        help=r"finds identity and camera in paths below FOLDER, such as '(?P<pid>\d+)_c(?P<camera>\d+)'",
    )
    parser.add_argument(
        "--train-share",
        type=float,
        default=TRAIN_SHARE,
        metavar="SHARE",
        help="of the identities; default: %(default)s",
    )
    parser.add_argument(
        "--queries-per-camera",
        type=int,
        default=QUERIES_PER_CAMERA,
        metavar="N",
        help="of each test identity, at most; default: %(default)s",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the draw of identities; default: 0")


def run(options: argparse.Namespace) -> int:
    """Draw, write and print the counts."""
    dataset = make_split(
        read_labelled_folder(options.folder, pattern=options.pattern),
        train_share=options.train_share,
        queries_per_camera=options.queries_per_camera,
        seed=options.seed,
    )
    write_csv(dataset, options.out)
    print(json.dumps({"file": options.out, **dataclasses.asdict(count_dataset(dataset))}))
    return 0
