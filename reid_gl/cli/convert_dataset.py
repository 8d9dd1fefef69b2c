"""`reid-gl convert-dataset`: write any data set as a table or in the layout of Market-1501."""

from __future__ import annotations

import argparse
import dataclasses
import json

from reid_gl.cli.own_data_arguments import add_own_data_arguments, own_data_settings
from reid_gl.cli.progress import progress_bar
from reid_gl.data.datasets import load_dataset
from reid_gl.data.datasets.reading.counts import count_dataset
from reid_gl.data.preparing.write_dataset import write_csv, write_market_layout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("name", metavar="NAME", help="name of the data set, as in DATA.NAMES")
    parser.add_argument("root", metavar="ROOT", help="its folder")
    parser.add_argument(
        "--to", required=True, choices=("market", "csv"), help="market: folders; csv: a table"
    )
    parser.add_argument(
        "--out", required=True, metavar="PATH", help="folder, or .csv in a folder that contains all images"
    )
    add_own_data_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Read and write the data set, and print the counts."""
    dataset = load_dataset(options.name, options.root, **own_data_settings(options))
    if options.to == "csv":
        write_csv(dataset, options.out)
    else:
        with progress_bar(unit="image", description="writing") as show:
            write_market_layout(dataset, options.out, progress=show)
    print(json.dumps({"written": options.out, **dataclasses.asdict(count_dataset(dataset))}))
    return 0
