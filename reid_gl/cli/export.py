"""`reid-gl export`: write a checkpoint for another runtime."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from contextlib import redirect_stdout

from reid_gl.cli.experiment import add_config_arguments, prepare_torch, read_arguments
from reid_gl.cli.foreign import add_foreign_arguments, read_foreign
from reid_gl.experiment.export import run_export
from reid_gl.inference.exporting.export_settings import PRECISIONS, PROFILES, SUFFIXES, ExportSettings
from reid_gl.inference.extractor.find_weights import find_weights

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "weights", metavar="WEIGHTS", help="checkpoint, state dict, folder or hf://owner/repo"
    )
    parser.add_argument("--format", required=True, choices=tuple(SUFFIXES))
    parser.add_argument("--precision", default="float32", choices=PRECISIONS, help="int8 is for OpenVINO")
    parser.add_argument(
        "--profile", default="default", choices=PROFILES, help="layout that a tracker expects"
    )
    parser.add_argument("--out", metavar="FILE", help="default: next to the checkpoint")
    parser.add_argument("--force", action="store_true", help="replace FILE even if it is not an export")
    parser.add_argument("--flip", action="store_true", help="average with the features of the mirrored image")
    parser.add_argument(
        "--square-size",
        type=int,
        default=224,
        metavar="S",
        help="input size for --profile ultralytics, in pixels",
    )
    parser.add_argument(
        "--calibration-images",
        metavar="FOLDER",
        help="about 300 crops of people, for int8; default: the training set of the experiment file",
    )
    add_foreign_arguments(parser)
    add_config_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Export; the JSON object goes to stdout. With an experiment file or DATA keys, also compare mAP."""
    settings = ExportSettings(
        format=options.format,
        precision=options.precision,
        profile=options.profile,
        flip=options.flip,
        square_size=options.square_size,
    )
    experiment = read_arguments(options) if options.config_file or options.overrides else None
    prepare_torch(0)
    with redirect_stdout(sys.stderr):  # nncf prints its progress bars to stdout
        result = run_export(
            find_weights(options.weights),
            settings,
            foreign=read_foreign(options),
            out=options.out,
            force=options.force,
            calibration_images=options.calibration_images,
            config=experiment,
        )
    cosine = min(one["min_cosine"] for one in result["parity"])
    logger.info("%s: cosine to the network's features is at least %.6f", result["file"], cosine)
    if "mAP" in result:
        scores = result["mAP"]
        logger.info("mAP %.4f in torch, %.4f exported", scores["torch"], scores["exported"])
    print(json.dumps(result))
    return 0
