"""`reid-gl make-synthetic`: render the synthetic pedestrians."""

from __future__ import annotations

import argparse
import json
import os

from tqdm import tqdm

from reid_gl.data.synthetic.market_layout import write_synthetic
from reid_gl.data.synthetic.plan import SyntheticSize


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    size = SyntheticSize()
    parser.add_argument("--out", default="data/synthetic", metavar="FOLDER", help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes; default: 0")
    parser.add_argument("--train-identities", type=int, default=size.num_train_identities, metavar="N")
    parser.add_argument("--test-identities", type=int, default=size.num_test_identities, metavar="N")
    parser.add_argument("--queries", type=int, default=size.num_queries, metavar="N")
    parser.add_argument("--distractors", type=int, default=size.num_distractors, metavar="N")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N")


def run(options: argparse.Namespace) -> int:
    """Render, or use what has been rendered before, and print the counts."""
    size = SyntheticSize(
        num_train_identities=options.train_identities,
        num_test_identities=options.test_identities,
        num_queries=options.queries,
        num_distractors=options.distractors,
    )
    with tqdm(unit="image", desc="rendering", disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        counts = write_synthetic(
            options.out, seed=options.seed, size=size, num_workers=options.workers, progress=show
        )
    print(json.dumps({"folder": options.out, **counts}))
    return 0
