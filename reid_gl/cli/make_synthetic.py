"""`reid-gl make-synthetic`: render synthetic pedestrians, as crops or as sequences past cameras."""

from __future__ import annotations

import argparse
import json
import os
from collections.abc import Callable

from reid_gl.cli.progress import progress_bar
from reid_gl.synthetic.plan import SyntheticSize
from reid_gl.synthetic.write_people import write_synthetic
from reid_gl.synthetic.write_sequences import SequenceSize, write_sequences

FOLDER, SEQUENCES_FOLDER = "data/synthetic", "data/synthetic_sequences"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    size, filmed = SyntheticSize(), SequenceSize()
    parser.add_argument(
        "--out", metavar="FOLDER", help=f"default: {FOLDER}, with --sequences {SEQUENCES_FOLDER}"
    )
    parser.add_argument("--seed", type=int, default=0, help="a seed always gives the same bytes; default: 0")
    images = parser.add_argument_group("images in the layout of Market-1501")
    images.add_argument("--train-identities", type=int, default=size.num_train_identities, metavar="N")
    images.add_argument("--test-identities", type=int, default=size.num_test_identities, metavar="N")
    images.add_argument("--queries", type=int, default=size.num_queries, metavar="N")
    images.add_argument("--distractors", type=int, default=size.num_distractors, metavar="N")
    images.add_argument(
        "--worlds",
        type=int,
        default=size.num_worlds,
        metavar="N",
        help="spread the training identities over N sets of six cameras that differ from those of the test",
    )
    images.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")
    sequences = parser.add_argument_group("sequences in the layout of MOT Challenge")
    sequences.add_argument(
        "--sequences",
        action="store_true",
        help="render sequences instead: other people who walk past several cameras",
    )
    sequences.add_argument("--cameras", type=int, default=filmed.num_cameras, metavar="N")
    sequences.add_argument(
        "--frames", type=int, default=filmed.num_frames, metavar="N", help="frames per camera"
    )
    sequences.add_argument("--people", type=int, default=filmed.num_people, metavar="N")
    sequences.add_argument("--frame-rate", type=float, default=filmed.frame_rate, metavar="N")
    sequences.add_argument(
        "--frame-size", type=int, nargs=2, default=(filmed.width, filmed.height), metavar=("WIDTH", "HEIGHT")
    )


def run(options: argparse.Namespace) -> int:
    """Render, or reuse what was rendered before, and print the counts."""
    unit = "frame" if options.sequences else "image"
    with progress_bar(unit=unit, description="rendering") as show:
        summary = (_film if options.sequences else _render)(options, show)
    print(json.dumps(summary))
    return 0


def _render(options: argparse.Namespace, progress: Callable[[int, int], None]) -> dict[str, object]:
    folder = options.out or FOLDER
    size = SyntheticSize(
        num_train_identities=options.train_identities,
        num_test_identities=options.test_identities,
        num_queries=options.queries,
        num_distractors=options.distractors,
        num_worlds=options.worlds,
    )
    counts = write_synthetic(
        folder, seed=options.seed, size=size, num_workers=options.workers, progress=progress
    )
    return {"folder": folder, **counts}


def _film(options: argparse.Namespace, progress: Callable[[int, int], None]) -> dict[str, object]:
    folder = options.out or SEQUENCES_FOLDER
    size = SequenceSize(
        num_cameras=options.cameras,
        num_frames=options.frames,
        num_people=options.people,
        width=options.frame_size[0],
        height=options.frame_size[1],
        frame_rate=options.frame_rate,
    )
    names = write_sequences(folder, seed=options.seed, size=size, progress=progress)
    return {"folder": folder, "sequences": names}
