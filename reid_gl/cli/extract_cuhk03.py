"""`reid-gl extract-cuhk03`: write the images inside cuhk-03.mat as files."""

from __future__ import annotations

import argparse

from reid_gl.data.datasets import extract_cuhk03_images


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--mat", required=True, metavar="FILE", help="cuhk-03.mat")
    parser.add_argument("--out", metavar="FOLDER", help="default: cuhk03_images next to the file")


def run(options: argparse.Namespace) -> int:
    """Write the images once and print their folder."""
    print(extract_cuhk03_images(options.mat, options.out))
    return 0
