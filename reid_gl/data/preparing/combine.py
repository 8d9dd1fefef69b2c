"""Several training sets as one."""

from __future__ import annotations

import os
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
        ValueError: a set without training samples, or one image in two sets.
    """
    if len(datasets) > 1:
        _check_shared_images(datasets)
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


def _check_shared_images(datasets: Sequence[ReidDataset]) -> None:
    """A set that is given twice, or in two splits, would make two identities of everybody in it."""
    owners: dict[object, int] = {}
    for place, dataset in enumerate(datasets):
        for sample in dataset.train:
            owner = owners.setdefault((os.path.abspath(sample.path), sample.box), place)
            if owner != place:
                raise ValueError(
                    f"{datasets[owner].name} and {dataset.name}, sets {owner + 1} and {place + 1} of "
                    f"DATA.NAMES, share training images such as {sample.path}: leave one of them "
                    "out, or every person in both would be two identities"
                )
