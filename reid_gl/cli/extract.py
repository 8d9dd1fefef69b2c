"""`reid-gl extract`: features of a folder, a CSV file of crops, a video or a MOT Challenge sequence."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from reid_gl.cli.foreign import add_foreign_arguments, read_foreign
from reid_gl.device import DEVICES
from reid_gl.experiment.extract import choose_format, extract_to_file
from reid_gl.inference.bulk.crop_lists import list_crops
from reid_gl.inference.bulk.extract_many import ON_ERROR
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.reid_folder import weights_file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "source", help="folder of images, .csv (path[,x1,y1,x2,y2][,pid][,camid][,frame]), video, sequence"
    )
    parser.add_argument(
        "output", type=Path, help=".npz, .parquet, .npy for deep_sort, or a folder for BoxMOT's cache"
    )
    parser.add_argument(
        "--weights", required=True, metavar="FILE", help="checkpoint, .onnx, .xml, state dict, folder of reid"
    )
    parser.add_argument("--boxes", metavar="FILE", help="det.txt or gt.txt of a video or sequence")
    parser.add_argument(
        "--classes",
        type=int,
        nargs="+",
        metavar="CLASS",
        help="of the boxes of gt.txt, whose numbers they are; default: 1, people on foot",
    )
    parser.add_argument(
        "--stride", type=int, default=1, metavar="N", help="every Nth frame of a video without boxes"
    )
    parser.add_argument("--device", default="auto", help=f"{', '.join(DEVICES)}; default: %(default)s")
    parser.add_argument("--precision", default="auto", help="float32, bfloat16, float16, int8; default: auto")
    parser.add_argument("--batch-size", type=int, default=64, metavar="N", help="default: %(default)s")
    parser.add_argument(
        "--on-error",
        choices=ON_ERROR,
        default="stop",
        help="at an image that cannot be read: stop, or skip it and list it in OUTPUT.rejects.csv; default: "
        "%(default)s",
    )
    parser.add_argument(
        "--flip",
        action="store_true",
        default=None,
        help="average with the mirror image",
    )
    add_foreign_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """The bar goes to stderr, a JSON object with what was written to stdout."""
    choose_format(options.output)
    weights = weights_file(Path(options.weights))
    if not weights.is_file():
        raise FileNotFoundError(f"weights {weights} do not exist")
    crops = list_crops(
        options.source,
        boxes=options.boxes,
        stride=options.stride,
        classes=options.classes,
        show_progress=True,
    )
    settings: dict[str, Any] = {
        "precision": options.precision,
        "flip": options.flip,
        **read_foreign(options).arguments(),
    }
    stat = weights.stat()
    summary = extract_to_file(
        crops,
        options.output,
        lambda: FeatureExtractor(weights, device=options.device, batch_size=options.batch_size, **settings),
        identity={"weights": weights.name, "bytes": stat.st_size, "changed": stat.st_mtime_ns, **settings},
        reid_name=weights.stem,
        batch_size=options.batch_size,
        on_error=options.on_error,
        show_progress=True,
    )
    print(json.dumps({"source": options.source, **summary}))
    return 0
