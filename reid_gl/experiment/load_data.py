"""The data sets, batches and loaders that an experiment describes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from reid_gl.config import Experiment
from reid_gl.config.experiment import DataSettings, Holdout
from reid_gl.data.datasets.extra_queries import load_multi_query
from reid_gl.data.datasets.registry import load_datasets
from reid_gl.data.loading.cache_format import CacheForm
from reid_gl.data.loading.decoded_cache import DecodedCache, open_cache
from reid_gl.data.loading.loaders import BatchLoader, ImageBatches, make_label_map
from reid_gl.data.loading.sampler import BalancedSampler, Part, PKSampler
from reid_gl.data.preparing.combine import combine_training_sets
from reid_gl.data.preparing.holdout import hold_out_identities
from reid_gl.distributed.agreement import first_on_each_host
from reid_gl.distributed.ranks import ranks
from reid_gl.records import ReidDataset, Sample


def load_data(data: DataSettings) -> ReidDataset:
    """Combine the training sets with the query and gallery of the first test set.

    Raises:
        ValueError, FileNotFoundError: as load_dataset; also if one of several sets has no training part.
    """
    if data.names == data.test_names and "," not in data.names:
        return load_test_sets(data)[0]
    tested = load_test_sets(replace(data, test_names=data.test_names.split(",")[0]))[0]
    datasets = _load(data, data.names)
    return replace(tested, train=combine_training_sets(datasets))


def load_test_sets(data: DataSettings) -> list[ReidDataset]:
    """Load each test set.

    Raises:
        ValueError, FileNotFoundError: as load_dataset; also if none of the sets takes the detections.
    """
    datasets = _load(data, data.test_names)
    if data.detections and all(dataset.search is None for dataset in datasets):
        raise ValueError(
            f"DATA.DETECTIONS {data.detections} is for sets of person search, and {data.test_names} is none: "
            "test on prw or cuhk_sysu, or leave it out"
        )
    return datasets


def _load(data: DataSettings, names: str) -> list[ReidDataset]:
    own = ("pattern", "split_map", "leave_out", "detections", "min_detection_score")
    return load_datasets(names, data.root, **{name: getattr(data, name) for name in own})


def load_extra_queries(experiment: Experiment) -> dict[str, Any]:
    """Return keyword arguments for evaluate: extra images of the queries, or none.

    Raises:
        FileNotFoundError: the data set has no such images.
    """
    if experiment.multi_query == "none":
        return {}
    extra_queries = load_multi_query(experiment.data.root)
    return {"extra_queries": extra_queries, "query_pooling": experiment.multi_query}


def hold_out(holdout: Holdout, dataset: ReidDataset) -> ReidDataset | None:
    """Split off the held-out training identities as a test set; None if none are to be held out."""
    if not holdout.share:
        return None
    return hold_out_identities(dataset.train, holdout.share, seed=holdout.seed)


def make_sampler(experiment: Experiment, train: Sequence[Sample]) -> PKSampler | BalancedSampler:
    """Make the sampler of P x K batches of training images."""
    batches = experiment.batches
    labels, sources = _labels(train), [sample.source for sample in train]
    shape = {"num_identities": batches.num_identities, "num_images": batches.num_images}
    if batches.balanced and len(set(sources)) > 1:
        return BalancedSampler(labels, sources, **shape, seed=experiment.seed)
    return PKSampler(labels, **shape, seed=experiment.seed)


def open_image_cache(experiment: Experiment, train: Sequence[Sample]) -> DecodedCache | None:
    """Open the cache of decoded training images, creating it if needed; None if there is to be none."""
    if experiment.data.cache is None:
        return None
    form = CacheForm(experiment.preprocessing, experiment.augmentation.crops)
    return open_cache(experiment.data.cache, train, form)


def make_loader(
    experiment: Experiment,
    train: Sequence[Sample],
    sampler: PKSampler | BalancedSampler,
    device: torch.device,
) -> BatchLoader:
    """Make the loader of training batches, of this rank's part if there are several; opens the cache.

    Args:
        experiment: what to load, and how.
        train: the training images.
        sampler: chooses the batches.
        device: where the network runs.
    """
    batches = ImageBatches(
        train,
        _labels(train),
        preprocessing=experiment.preprocessing,
        augmentation=experiment.augmentation,
        seed=experiment.seed,
        cache=first_on_each_host(lambda: open_image_cache(experiment, train)),
        part=Part(ranks().rank, ranks().world_size),
    )
    # with a cache, workers only copy images; an accelerator does the remaining augmentation in almost no time
    is_changed_there = experiment.data.cache is not None and device.type != "cpu"
    return BatchLoader(
        batches,
        sampler,
        num_workers=experiment.data.num_workers,
        pin_memory=device.type == "cuda",
        change_on=device if is_changed_there else None,
    )


def _labels(train: Sequence[Sample]) -> list[int]:
    label_map = make_label_map(train)
    return [label_map[sample.pid] for sample in train]
