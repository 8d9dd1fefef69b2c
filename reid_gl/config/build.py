"""Builds objects from a configuration; only this file, build_losses and build_inference read config keys."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from yacs.config import CfgNode

from reid_gl.config.build_inference import build_evaluation as build_evaluation
from reid_gl.config.build_inference import build_extra_queries as build_extra_queries
from reid_gl.config.build_inference import build_strategies as build_strategies
from reid_gl.config.build_losses import build_loss as build_loss
from reid_gl.config.build_losses import build_losses as build_losses
from reid_gl.config.defaults import INPUT, MODEL, SOLVER
from reid_gl.config.keys import take
from reid_gl.config.load import read_dump
from reid_gl.data.datasets.registry import load_datasets
from reid_gl.data.loading.augmentation import Augmentation
from reid_gl.data.loading.cache_format import CacheForm
from reid_gl.data.loading.decoded_cache import DecodedCache, open_cache
from reid_gl.data.loading.sampler import BalancedSampler, PKSampler
from reid_gl.data.loading.transforms import Preprocessing, check_colors
from reid_gl.data.preparing.combine import combine_training_sets
from reid_gl.data.preparing.holdout import hold_out_identities
from reid_gl.device import choose_device, choose_precision
from reid_gl.losses import WeightedSum
from reid_gl.models import NetSettings, ReidNet, load_backbone_weights
from reid_gl.models.timm_backbones import is_timm, timm_normalization
from reid_gl.records import ReidDataset, Sample
from reid_gl.training.fit import FitSettings
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.schedule import Schedule
from reid_gl.training.step import StepSettings

logger = logging.getLogger(__name__)


def build_dataset(config: CfgNode) -> ReidDataset:
    """Combine the training sets of DATA.NAMES with the query and gallery of the first of DATA.TEST_NAMES.

    Raises:
        ValueError, FileNotFoundError: as load_dataset; also if one of several sets has no training part.
    """
    names, test_names = config.DATA.NAMES, _test_names(config)
    if names == test_names and "," not in names:
        return _load(config, names)[0]
    datasets, tested = _load(config, names), _load(config, test_names.split(",")[0])[0]
    return replace(tested, train=combine_training_sets(datasets))


def build_test_sets(config: CfgNode) -> list[ReidDataset]:
    """Load each data set of DATA.TEST_NAMES, or of DATA.NAMES if TEST_NAMES is empty.

    Raises:
        ValueError, FileNotFoundError: as load_dataset.
    """
    return _load(config, _test_names(config))


def _test_names(config: CfgNode) -> str:
    return str(config.DATA.TEST_NAMES or config.DATA.NAMES)


def _load(config: CfgNode, names: str) -> list[ReidDataset]:
    return load_datasets(names, config.DATA.ROOT, pattern=config.DATA.PATTERN)


def build_holdout(config: CfgNode, dataset: ReidDataset) -> ReidDataset | None:
    """Split off the held-out training identities as a test set; None if DATA.HOLDOUT is 0."""
    if not config.DATA.HOLDOUT:
        return None
    return hold_out_identities(dataset.train, config.DATA.HOLDOUT, seed=config.SEED)


def build_holdout_of_run(config_text: str, dataset: ReidDataset) -> ReidDataset | None:
    """Repeat a run's build_holdout from the configuration (YAML) stored in its checkpoint."""
    return build_holdout(read_dump(config_text)[0], dataset)


def build_preprocessing(config: CfgNode) -> Preprocessing:
    """Build resize and normalisation."""
    if len(config.INPUT.SIZE) != 2:
        raise ValueError(f"INPUT.SIZE must be [height, width], got {config.INPUT.SIZE}")
    height, width = config.INPUT.SIZE
    preprocessing = Preprocessing(height, width, **take(INPUT, config.INPUT, Preprocessing))
    check_colors(preprocessing.mean, preprocessing.std)
    return preprocessing


def build_augmentation(config: CfgNode) -> Augmentation:
    """Build the random augmentation of training images."""
    red, green, blue = (round(255 * value) for value in config.INPUT.MEAN)
    return Augmentation(fill=(red, green, blue), **take(INPUT, config.INPUT, Augmentation))


def build_batch_shape(config: CfgNode) -> tuple[int, int]:
    """Return P, the identities in a batch, and K, the images of each.

    Raises:
        ValueError: P or K is smaller than 1.
    """
    shape = config.SOLVER.IDENTITIES_PER_BATCH, config.SOLVER.IMAGES_PER_IDENTITY
    if min(shape) < 1:
        raise ValueError(f"P and K must be at least 1, got P={shape[0]}, K={shape[1]}")
    return shape


def build_sampler(
    config: CfgNode, labels: list[int], sources: Sequence[int] = ()
) -> PKSampler | BalancedSampler:
    """Build the sampler of P x K batches; sources: data set of each image, empty if there is only one set."""
    num_identities, num_images = build_batch_shape(config)
    shape = {"num_identities": num_identities, "num_images": num_images, "seed": config.SEED}
    if config.SOLVER.BALANCED and len(set(sources)) > 1:
        return BalancedSampler(labels, sources, **shape)
    return PKSampler(labels, **shape)


def build_net(config: CfgNode, num_classes: int, *, pretrained: bool = True) -> ReidNet:
    """Build the network (channels last, on the CPU) and initialise its backbone as MODEL.PRETRAINED says."""
    net = ReidNet(NetSettings(config.MODEL.BACKBONE, num_classes, **take(MODEL, config.MODEL, NetSettings)))
    if pretrained and config.MODEL.PRETRAINED != "none":
        count = load_backbone_weights(net, config.MODEL.PRETRAINED)
        logger.info("the backbone starts from %s (%d tensors)", config.MODEL.PRETRAINED, count)
        _compare_normalization(config)
    return net.to(memory_format=torch.channels_last)


def _compare_normalization(config: CfgNode) -> None:
    """Warn if timm's weights were trained with another normalisation than INPUT sets."""
    if not is_timm(config.MODEL.BACKBONE):
        return
    theirs = timm_normalization(config.MODEL.BACKBONE)
    if (tuple(config.INPUT.MEAN), tuple(config.INPUT.STD)) != (theirs.mean, theirs.std):
        logger.warning(
            "%s was trained with INPUT.MEAN %s INPUT.STD %s, the configuration has %s and %s",
            config.MODEL.BACKBONE,
            list(theirs.mean),
            list(theirs.std),
            config.INPUT.MEAN,
            config.INPUT.STD,
        )


def build_optimizer(config: CfgNode, net: ReidNet, losses: WeightedSum) -> torch.optim.Optimizer:
    """Build the optimiser for the network and the losses' learned parameters."""
    return make_optimizer(net, losses, **take(SOLVER, config.SOLVER, make_optimizer))


def build_fit_settings(config: CfgNode) -> FitSettings:
    """Build the settings of the training loop."""
    solver = config.SOLVER
    device = choose_device(config.MODEL.DEVICE)
    dtype = choose_precision(solver.PRECISION, device)
    return FitSettings(
        schedule=Schedule(solver.NUM_EPOCHS, **take(SOLVER, solver, Schedule)),
        step=StepSettings(dtype, **take(SOLVER, solver, StepSettings)),
        device=device,
        seed=config.SEED,
        select_best=config.DATA.HOLDOUT > 0 and solver.EVALUATE_EVERY > 0,
        **take(SOLVER, solver, FitSettings),
    )


def build_comparison_epochs(config: CfgNode) -> int:
    """Return the number of epochs of each run in a loss comparison."""
    return int(config.COMPARE.NUM_EPOCHS or config.SOLVER.NUM_EPOCHS)


def build_device(config: CfgNode) -> torch.device:
    """Return the device that the network runs on."""
    return choose_device(config.MODEL.DEVICE)


def build_loading(config: CfgNode, device: torch.device) -> dict[str, Any]:
    """Return keyword arguments for the training loader."""
    # with a cache, workers only copy images; an accelerator does the remaining augmentation in almost no time
    is_changed_there = bool(config.DATA.CACHE) and device.type != "cpu"
    return {
        "num_workers": config.DATA.NUM_WORKERS,
        "pin_memory": device.type == "cuda",
        "change_on": device if is_changed_there else None,
    }


def build_cache(
    config: CfgNode, samples: Sequence[Sample], preprocessing: Preprocessing, augmentation: Augmentation
) -> DecodedCache | None:
    """Open the cache of decoded training images, creating it if needed; None if DATA.CACHE is empty."""
    if not config.DATA.CACHE:
        return None
    return open_cache(Path(config.DATA.CACHE), samples, CacheForm(preprocessing, augmentation.crops))


def build_clustering(config: CfgNode) -> bool:
    """Return whether clustering scores are computed for image retrieval."""
    return bool(config.TEST.CLUSTERING)


def build_output_dir(config: CfgNode) -> Path:
    """Return the run folder."""
    return Path(config.OUTPUT_DIR)


def build_weights_path(config: CfgNode) -> Path:
    """Return the path of the checkpoint to test.

    Raises:
        ValueError: MODEL.WEIGHTS is empty.
    """
    if not config.MODEL.WEIGHTS:
        raise ValueError("no weights to test: add MODEL.WEIGHTS <run folder>/model.ckpt to the command")
    return Path(config.MODEL.WEIGHTS)
