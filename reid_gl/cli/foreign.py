"""Arguments of every command that opens weights of other projects."""

from __future__ import annotations

import argparse
from dataclasses import fields

from reid_gl.data.loading.transforms import ANTIALIASED, CHANNEL_ORDERS, KERNELS
from reid_gl.inference.extractor.foreign import Foreign, GivenPreprocessing


def add_foreign_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options that describe a network of another project; read_foreign reads them."""
    parser.add_argument("--architecture", metavar="NAME", help="of a foreign state dict, such as osnet_x1_0")
    foreign = parser.add_argument_group("images that a network takes, where its file does not say")
    foreign.add_argument("--input-size", type=int, nargs=2, metavar=("HEIGHT", "WIDTH"))
    foreign.add_argument("--mean", type=float, nargs=3, metavar=("R", "G", "B"))
    foreign.add_argument("--std", type=float, nargs=3, metavar=("R", "G", "B"))
    foreign.add_argument("--pixel-range", type=float, metavar="WHITE", help="1 or 255")
    foreign.add_argument(
        "--channel-order", choices=CHANNEL_ORDERS, help="that the network takes; mean and std stay RGB"
    )
    foreign.add_argument(
        "--kernel",
        choices=(*KERNELS, *ANTIALIASED),
        help="interpolation of the resize; default: that of the project, or linear",
    )
    foreign.add_argument(
        "--output-name", metavar="NAME", help="output of an exported file that holds the features, of several"
    )


def read_foreign(options: argparse.Namespace) -> Foreign:
    """Return what the arguments say about the network."""
    images = {field.name: getattr(options, field.name) for field in fields(GivenPreprocessing)}
    return Foreign(options.architecture, GivenPreprocessing(**images), options.output_name)
