"""The network of commands that compute the features of many images and can resume."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from reid_gl.cli.foreign import add_foreign_arguments, read_foreign
from reid_gl.device import DEVICES
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.models.packaged import PACKAGED
from reid_gl.models.weight_files import check_regular


@dataclass(frozen=True)
class Extraction:
    """Weights, and how they are used.

    Attributes:
        weights: the file.
        identity: plain values that the features depend on; features kept with others are computed again.
        make_extractor: opens the weights.
    """

    weights: Path
    identity: dict[str, Any]
    make_extractor: Callable[[], FeatureExtractor]


def add_extraction_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what read_extraction reads."""
    parser.add_argument(
        "--weights",
        default=PACKAGED,
        metavar="FILE",
        help="checkpoint, .onnx, .xml, state dict, folder, hf://; default: the small network of the package",
    )
    parser.add_argument("--device", default="auto", help=f"{', '.join(DEVICES)}; default: %(default)s")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="default: %(default)s")
    add_foreign_arguments(parser)


def read_extraction(options: argparse.Namespace, **settings: Any) -> Extraction:  # noqa: ANN401
    """Find the weights, without opening them.

    Args:
        options: values of the arguments.
        **settings: further arguments of FeatureExtractor, plain values.

    Raises:
        FileNotFoundError: the weights do not exist.
        ValueError: they are a folder, a pipe or a device, or larger than weights can be.
    """
    weights = find_weights(options.weights)
    check_regular(weights)
    settings = {**settings, **read_foreign(options).arguments()}
    stat = weights.stat()
    return Extraction(
        weights,
        {"weights": weights.name, "bytes": stat.st_size, "changed": stat.st_mtime_ns, **settings},
        partial(
            FeatureExtractor,
            weights.absolute(),
            device=options.device,
            batch_size=options.batch_size,
            **settings,
        ),
    )
