"""`reid-gl make-split`: turn labelled images into a table with training set, query and gallery."""

from __future__ import annotations

import argparse
import dataclasses
import json

from reid_gl.data.datasets.own.own_data import as_samples
from reid_gl.data.datasets.reading.counts import count_dataset
from reid_gl.data.preparing.make_split import (
    QUERIES_PER_CAMERA,
    TRAIN_SHARE,
    divide_given_test,
    make_split,
    read_labelled_images,
)
from reid_gl.data.preparing.write_dataset import write_csv


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "source",
        metavar="SOURCE",
        help="folder with one folder of images per identity, also inside train/ and val/; with --pattern, "
        "any folder; or a table (.csv, .tsv, .parquet, .txt, COCO .json)",
    )
    parser.add_argument(
        "--out",
        required=True,
        metavar="FILE",
        help=".csv in a folder that contains all images; must not exist yet",
    )
    parser.add_argument(
        "--pattern",
        default="",
        metavar="REGEX",
        help=r"finds identity and camera in paths below SOURCE, such as '(?P<pid>\d+)_c(?P<camera>\d+)'",
    )
    parser.add_argument(
        "--columns",
        default="",
        metavar="NAME=TITLE,...",
        help="titles of the table's columns, such as path=Image,pid=Id; usual titles are found without it",
    )
    parser.add_argument(
        "--images", metavar="FOLDER", help="where the table's paths begin; default: beside it"
    )
    parser.add_argument(
        "--leave-out", default="", metavar="PID,...", help="labels that are not identities, such as new_whale"
    )
    parser.add_argument(
        "--ignore-split",
        action="store_true",
        help="divide anew, even if there is a division into train and test",
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
    images = read_labelled_images(
        options.source,
        pattern=options.pattern,
        columns=_read_columns(options.columns),
        image_folder=options.images,
        leave_out=list(filter(None, options.leave_out.split(","))),
    )
    if any(image.split for image in images) and not options.ignore_split:
        dataset = divide_given_test(images, queries_per_camera=options.queries_per_camera)
    else:
        dataset = make_split(
            as_samples(images),
            train_share=options.train_share,
            queries_per_camera=options.queries_per_camera,
            seed=options.seed,
        )
    write_csv(dataset, options.out)
    print(json.dumps({"file": options.out, **dataclasses.asdict(count_dataset(dataset))}))
    return 0


def _read_columns(text: str) -> dict[str, str]:
    pairs = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    if not all(name and title for name, _, title in pairs):
        raise ValueError(f"--columns {text!r}: expected name=title pairs, such as path=Image,pid=Id")
    return {name: title for name, _, title in pairs}
