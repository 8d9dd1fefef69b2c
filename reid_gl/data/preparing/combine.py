"""Combine several training sets into one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

from reid_gl.records import ReidDataset, Sample


def combine_training_sets(datasets: Sequence[ReidDataset]) -> tuple[Sample, ...]:
    """Concatenate training sets, offsetting identities and cameras so that they never collide.

    The first set keeps its identities and cameras. Those of each further set are shifted beyond the highest
    of the sets before it.

    Args:
        datasets: at least one data set, each with a training set.

    Returns:
        All training samples; `source` is the index of their data set.

    Raises:
        ValueError: a data set has no training samples, or two data sets share an image.
    """
    if len(datasets) > 1:
        _check_shared_images(datasets)
    combined: list[Sample] = []
    highest_pid, highest_camid = 0, -1
    for source, dataset in enumerate(datasets):
        if not dataset.train:
            raise ValueError(f"{dataset.name} has no training set: it can only be used for testing")
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
    """Refuse data sets that share images: each person in them would become two identities.

    This happens when a data set is given twice, or in two of its splits.

    Raises:
        ValueError: two data sets share a training image.
    """
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
