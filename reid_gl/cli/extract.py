"""`reid-gl extract`: features of a folder, a CSV file of crops, a video or a MOT Challenge sequence."""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path
from typing import Any

from reid_gl.cli.extraction import add_extraction_arguments, read_extraction
from reid_gl.cli.times import check_frame_rate, point_in_time
from reid_gl.experiment.extracting.extract import choose_format, extract_to_file
from reid_gl.experiment.extracting.extract_into import extract_into_gallery
from reid_gl.experiment.extracting.extract_to_folder import extract_to_folder
from reid_gl.experiment.gallery import Recording
from reid_gl.inference.bulk.crop_lists import frame_rate_of, list_crops
from reid_gl.inference.bulk.part_plans import ON_ERROR
from reid_gl.inference.bulk.ray_engine import import_ray, write_parts

ENGINES = ("local", "ray")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument(
        "source", help="folder of images, .csv (path[,x1,y1,x2,y2][,pid][,camid][,frame]), video, sequence"
    )
    parser.add_argument(
        "output",
        type=Path,
        nargs="?",
        help=".npz, .parquet, .npy for deep_sort, or a folder for BoxMOT's cache; none with --into; a folder "
        "of Parquet parts with --engine ray",
    )
    parser.add_argument(
        "--engine",
        choices=ENGINES,
        default="local",
        help="local: this process; ray: workers of Ray, on the cluster RAY_ADDRESS or on this machine; "
        "default: %(default)s",
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
    parser.add_argument("--precision", default="auto", help="float32, bfloat16, float16, int8; default: auto")
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
    gallery = parser.add_argument_group("into a gallery")
    gallery.add_argument("--into", metavar="GALLERY", help="add the features to this gallery, see gallery")
    gallery.add_argument("--audit-log", metavar="FILE", help="default: GALLERY.audit.jsonl")
    gallery.add_argument("--camera", type=int, metavar="N", help="of all images; default: what the list says")
    gallery.add_argument(
        "--start", type=point_in_time, metavar="TIME", help="of the first frame; UTC without an offset"
    )
    gallery.add_argument(
        "--fps", type=float, metavar="RATE", help="frames a second; default: what the video says"
    )
    add_extraction_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """The bar goes to stderr, a JSON object with what was written to stdout."""
    _check_output(options)
    extraction = read_extraction(options, precision=options.precision, flip=options.flip)
    crops = list_crops(
        options.source,
        boxes=options.boxes,
        stride=options.stride,
        classes=options.classes,
        show_progress=True,
    )
    common: dict[str, Any] = {
        "identity": extraction.identity,
        "batch_size": options.batch_size,
        "on_error": options.on_error,
        "show_progress": True,
    }
    make_extractor = extraction.make_extractor
    if options.engine == "ray":
        engine = partial(write_parts, device=options.device)
        summary = extract_to_folder(crops, options.output, make_extractor, engine, **common)
    elif options.into is None:
        summary = extract_to_file(
            crops, options.output, make_extractor, reid_name=extraction.weights.stem, **common
        )
    else:
        rate = frame_rate_of(Path(options.source), crops) if options.fps is None else options.fps
        recording = Recording(options.camera, options.start, rate)
        summary = extract_into_gallery(
            crops, options.into, make_extractor, recording, audit_log=options.audit_log, **common
        )
    print(json.dumps({"source": options.source, **summary}))
    return 0


def _check_output(options: argparse.Namespace) -> None:
    """See that the features go to one place.

    Raises:
        ValueError: they go to none or to two, or something is said that only a gallery takes.
    """
    if (options.output is None) == (options.into is None):
        raise ValueError("features go into a file or into a gallery: give an output, or --into")
    if options.engine == "ray":
        _check_ray(options)
    if options.output is None:
        check_frame_rate(options.fps, options.start)
        return
    for name in ("audit_log", "camera", "start", "fps"):
        if getattr(options, name) is not None:
            raise ValueError(f"--{name.replace('_', '-')} is for a gallery: give it with --into")
    if options.engine == "local":
        choose_format(options.output)


def _check_ray(options: argparse.Namespace) -> None:
    """See that the features go into a folder, and that Ray can be imported.

    Raises:
        ValueError: they go into a file or a gallery.
        ImportError: Ray is not installed.
    """
    if options.output is None or options.output.suffix:
        place = options.into or options.output
        raise ValueError(
            f"--engine ray writes a folder of Parquet parts, not {place}: give the name of a folder, without "
            "a suffix, or use --engine local"
        )
    import_ray()
