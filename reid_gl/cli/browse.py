"""`reid-gl browse`: a local web page over a gallery."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

from reid_gl.cli.foreign import add_foreign_arguments, read_foreign
from reid_gl.device import DEVICES
from reid_gl.gallery import Gallery
from reid_gl.gallery.audit_log import current_user
from reid_gl.gallery.browse.browser import Browser, Embed
from reid_gl.gallery.browse.labels import ENDING, Labels
from reid_gl.gallery.browse.server import BrowseServer
from reid_gl.gallery.browse.stored_images import StoredImages
from reid_gl.gallery.engines.open_engine import file_of
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.stored_thresholds import load_calibration

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("--gallery", required=True, metavar="URI", help="file such as people.db")
    parser.add_argument(
        "--weights", metavar="FILE", help="the network that filled the gallery, to search for other images"
    )
    parser.add_argument("--device", default="auto", help=f"{', '.join(DEVICES)}; default: %(default)s")
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(),
        metavar="FOLDER",
        help="folder that relative paths of images start from; default: the current one",
    )
    parser.add_argument(
        "--labels", type=Path, metavar="FILE", help=f"labels of pairs; default: GALLERY{ENDING}"
    )
    parser.add_argument("--port", type=int, default=0, metavar="N", help="default: any that is free")
    parser.add_argument("--audit-log", metavar="FILE", help="default: GALLERY.audit.jsonl")
    parser.add_argument(
        "--prior", type=float, metavar="SHARE", help="expected share of rows that show the person"
    )
    add_foreign_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Print the address and serve until Ctrl-C."""
    with make_server(options) as server:
        print(server.address, flush=True)
        logger.info("open this address in a browser on this machine; Ctrl-C ends")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return 0
    return 0


def make_server(options: argparse.Namespace) -> BrowseServer:
    """Open everything that the options name.

    Raises:
        FileNotFoundError, OSError, ValueError: the gallery, the weights or the port cannot be used.
    """
    if not 0 <= options.port <= 65535:
        raise ValueError(f"a port is a number from 0 to 65535, got {options.port}")
    if not options.root.is_dir():
        raise FileNotFoundError(f"the folder {options.root} of the images does not exist")
    calibration = load_calibration(options.weights) if options.weights else None
    gallery = Gallery(
        options.gallery, "r", calibration=calibration, prior=options.prior, audit_log=options.audit_log
    )
    labels = Labels(_labels_path(options), current_user())
    embed: Embed | None = None
    if options.weights:
        extractor = FeatureExtractor(
            options.weights, device=options.device, color_order="rgb", **read_foreign(options).arguments()
        )
        _check_dimension(gallery, extractor)
        embed = lambda image: extractor([image])[0]  # noqa: E731
    browser = Browser(gallery, StoredImages(options.root), labels, embed)
    try:
        return BrowseServer(browser, options.port)
    except OSError as error:
        raise OSError(
            f"cannot listen on port {options.port}: {error.strerror}; choose another --port"
        ) from None


def _labels_path(options: argparse.Namespace) -> Path:
    if options.labels is not None:
        return Path(options.labels)
    file = file_of(options.gallery)
    if file is None:
        raise ValueError(
            f"{options.gallery} is not a file, so its labels have no default file: give --labels"
        )
    return file.with_name(file.name + ENDING)


def _check_dimension(gallery: Gallery, extractor: FeatureExtractor) -> None:
    dimension = gallery.stats().dimension
    if dimension not in (None, extractor.embedding_dim):
        raise ValueError(
            f"the gallery holds features of {dimension} numbers, this network makes "
            f"{extractor.embedding_dim}: give the weights that filled it"
        )
