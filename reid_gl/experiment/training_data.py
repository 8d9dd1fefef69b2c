"""What a run trains on, checked before a network is made."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reid_gl.config import Experiment
from reid_gl.data.loading.loaders import check_images, make_label_map
from reid_gl.data.loading.sampler import BalancedSampler, PKSampler
from reid_gl.distributed.ranks import ranks
from reid_gl.evaluation.scores.protocol import check_test_set
from reid_gl.experiment.load_data import hold_out, load_data, make_sampler
from reid_gl.records import ReidDataset, Sample

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """The images of a training run.

    Attributes:
        dataset: the data set of the experiment, as loaded.
        split: what the run trains on, and scores during training: `dataset`, or with DATA.HOLDOUT its
            training identities in two parts.
        pids: identity of each label.
        description: number of training images and digest of their names; the folder does not matter.
        sampler: chooses the images of each batch.
    """

    dataset: ReidDataset
    split: ReidDataset
    pids: list[int]
    description: dict[str, Any]
    sampler: PKSampler | BalancedSampler


def load_training_data(experiment: Experiment) -> TrainingData:
    """Load the data set and check that it can be trained on and scored; reads the header of every image.

    On several ranks, each checks its share of the images.

    Raises:
        ValueError, FileNotFoundError: as load_dataset; also if there is no training set, no query can be
            scored, an image cannot be read, or a batch needs more identities than there are.
    """
    dataset = load_data(experiment.data)
    _check_dataset(experiment, dataset)
    split = hold_out(experiment.data.holdout, dataset) or dataset
    return TrainingData(
        dataset,
        split,
        pids=list(make_label_map(split.train)),
        description=describe_images(split.train),
        sampler=make_sampler(experiment, split.train),
    )


def _check_dataset(experiment: Experiment, dataset: ReidDataset) -> None:
    camera_filter = experiment.scoring.camera_filter
    preflight = check_test_set(dataset, camera_filter=camera_filter)
    if not dataset.train:
        raise ValueError(
            f"{dataset.name} has no training set: it can only be used for testing (DATA.TEST_NAMES)"
        )
    num_identities = len({sample.pid for sample in dataset.train})
    names = experiment.data.names
    logger.info("%s: %d training images of %d identities", names, len(dataset.train), num_identities)
    logger.info("%s: %s", dataset.name, preflight)
    samples = [*dataset.train, *dataset.query, *dataset.gallery]
    check_images(samples[ranks().local_rank :: ranks().local_world_size])


def describe_images(train: Sequence[Sample]) -> dict[str, Any]:
    """Return the number of images and a digest of their names, independent of the folder's location."""
    digest = hashlib.sha256()
    for sample in train:
        digest.update(repr((Path(sample.path).name, sample.pid, sample.camid, sample.box)).encode())
    return {"number": len(train), "digest": digest.hexdigest()}
