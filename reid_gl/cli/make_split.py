"""`reid-gl make-split`: turn a labelled folder into a table with training set, query and gallery."""

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
    """Add the arguments of the command."""
    parser.add_argument(
        "folder",
        metavar="FOLDER",
        help="contains one folder of images per identity; with --pattern, any folder",
    )
    parser.add_argument(
        "--out", required=True, metavar="FILE", help=".csv in FOLDER or a parent folder; must not exist yet"
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
        help="share of training identities; default: %(default)s",
    )
    parser.add_argument(
        "--queries-per-camera",
        type=int,
        default=QUERIES_PER_CAMERA,
        metavar="N",
        help="maximum queries per test identity and camera; default: %(default)s",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random split; default: 0")


def run(options: argparse.Namespace) -> int:
    """Split, write the table and print the counts."""
    dataset = make_split(
        read_labelled_folder(options.folder, pattern=options.pattern),
        train_share=options.train_share,
        queries_per_camera=options.queries_per_camera,
        seed=options.seed,
    )
    write_csv(dataset, options.out)
    print(json.dumps({"file": options.out, **dataclasses.asdict(count_dataset(dataset))}))
    return 0
