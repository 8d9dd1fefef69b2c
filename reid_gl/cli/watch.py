"""`reid-gl watch`: a video with the identity of every box, and a contact sheet of the identities."""

from __future__ import annotations

import argparse
import json
import logging
import signal
from pathlib import Path
from typing import Any

from reid_gl.cli.extraction import add_extraction_arguments, read_extraction
from reid_gl.cli.signals import TerminatedError, termination_raises
from reid_gl.experiment.watch import WatchFiles, watch_video
from reid_gl.inference.bulk.crop_lists import VIDEO_SUFFIXES, list_crops
from reid_gl.inference.extractor.stored_thresholds import load_calibration

logger = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("source", type=Path, help="video, or folder of a MOT Challenge sequence")
    parser.add_argument(
        "output", type=Path, help="video to write, .mp4; the contact sheet is the .html of the same name"
    )
    parser.add_argument(
        "--boxes",
        metavar="FILE",
        help="boxes of a detector (id -1) or a tracker, in the format of MOT Challenge; default: the "
        "sequence's own",
    )
    parser.add_argument(
        "--min-confidence", type=float, metavar="C", help="leave out detections with a lower confidence"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        metavar="DISTANCE",
        help="largest cosine distance within an identity; default: that stored with the weights at a false "
        "accept rate of 1 %%, or else measured on the video",
    )
    parser.add_argument("--force", action="store_true", help="replace files that exist")
    add_extraction_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """The bars go to stderr, a JSON object with what was written to stdout; 128 + n after signal n."""
    files = WatchFiles(options.output, options.force)
    try:
        with termination_raises():
            print(json.dumps({"source": str(options.source), **_watch(options, files)}))
    except KeyboardInterrupt as stop:
        if files.parts.exists():
            logger.warning("stopped: run the same command again to resume from %s", files.parts)
        else:
            logger.warning("stopped before the first file was written: run the same command again")
        return 128 + (signal.SIGTERM if isinstance(stop, TerminatedError) else signal.SIGINT)
    return 0


def _watch(options: argparse.Namespace, files: WatchFiles) -> dict[str, Any]:
    """Read what the options name, watch it, and return the summary."""
    files.check(options.source)
    _check_source(options.source, options.boxes)
    extraction = read_extraction(options)
    crops = list_crops(options.source, boxes=options.boxes, show_progress=True)
    if options.min_confidence is not None:
        kept = crops.columns["confidences"] >= options.min_confidence
        if not kept.any():
            highest = crops.columns["confidences"].max()
            raise ValueError(
                f"no box has a confidence of at least {options.min_confidence:g}, the highest is {highest:g}"
            )
        crops = crops.select(kept)
    return watch_video(
        options.source,
        crops,
        files,
        extraction.make_extractor,
        calibration=load_calibration(extraction.weights),
        threshold=options.threshold,
        identity=extraction.identity,
        batch_size=options.batch_size,
        show_progress=True,
    )


def _check_source(source: Path, boxes: str | None) -> None:
    """See that the source is a video with boxes or a sequence, before the frames of a video are counted.

    Raises:
        FileNotFoundError: it does not exist.
        ValueError: it is something else, or a video without boxes.
    """
    if not source.exists():
        raise FileNotFoundError(f"{source} does not exist")
    if source.is_dir():
        if not (source / "seqinfo.ini").is_file():
            raise ValueError(
                f"{source} is a folder without seqinfo.ini: expected a video or a MOT Challenge sequence"
            )
    elif source.suffix.lower() not in VIDEO_SUFFIXES:
        raise ValueError(f"{source} is not a video ({', '.join(VIDEO_SUFFIXES)}) or the folder of a sequence")
    elif boxes is None:
        raise ValueError(
            f"{source} has no boxes: give those of a detector or a tracker with --boxes det.txt, in the "
            "format of MOT Challenge"
        )
