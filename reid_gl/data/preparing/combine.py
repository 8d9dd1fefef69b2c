"""Several training sets as one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from reid_gl.records import ReidDataset, Sample


def combine_training_sets(datasets: Sequence[ReidDataset]) -> tuple[Sample, ...]:
    """Put training sets behind one another; nobody of one is anybody of another, and cameras differ too.

    Identities and cameras of the first set stay as they are; those of the others are moved beyond the
    highest of the sets before them.

    Args:
        datasets: at least one, each with a training set.

    Returns:
        All training samples, with the place of their set as their source.

    Raises:
        ValueError: a set without training samples.
    """
    combined: list[Sample] = []
    highest_pid, highest_camid = 0, -1
    for source, dataset in enumerate(datasets):
        if not dataset.train:
            raise ValueError(f"{dataset.name} has no training set: it can be tested on only")
        moved = [
            replace(
                sample,
                pid=sample.pid + highest_pid,
                camid=sample.camid + highest_camid + 1 if sample.camid >= 0 else -1,
                source=source,
            )
            for sample in dataset.train
        ]
        combined += moved
        highest_pid = max(sample.pid for sample in combined)
        highest_camid = max(sample.camid for sample in combined)
    return tuple(combined)
