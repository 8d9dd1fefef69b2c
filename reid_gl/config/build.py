"""From a configuration to objects: the only reader of config keys, with build_losses and build_inference."""

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
    """What is trained on, DATA.NAMES together, and the first of DATA.TEST_NAMES to test on.

    Raises:
        ValueError, FileNotFoundError: as load_dataset; also if one of several sets cannot be trained on.
    """
    names, test_names = config.DATA.NAMES, _test_names(config)
    if names == test_names and "," not in names:
        return _load(config, names)[0]
    datasets, tested = _load(config, names), _load(config, test_names.split(",")[0])[0]
    return replace(tested, train=combine_training_sets(datasets))


def build_test_sets(config: CfgNode) -> list[ReidDataset]:
    """DATA.TEST_NAMES, or DATA.NAMES where there are none, one by one.

    Raises:
        ValueError, FileNotFoundError: as load_dataset.
    """
    return _load(config, _test_names(config))


def _test_names(config: CfgNode) -> str:
    return str(config.DATA.TEST_NAMES or config.DATA.NAMES)


def _load(config: CfgNode, names: str) -> list[ReidDataset]:
    return load_datasets(names, config.DATA.ROOT, pattern=config.DATA.PATTERN)


def build_holdout(config: CfgNode, dataset: ReidDataset) -> ReidDataset | None:
    """Training samples without the held-out identities, and those as a test set; None if none are."""
    if not config.DATA.HOLDOUT:
        return None
    return hold_out_identities(dataset.train, config.DATA.HOLDOUT, seed=config.SEED)


def build_holdout_of_run(config_text: str, dataset: ReidDataset) -> ReidDataset | None:
    """build_holdout as the run did whose configuration, as YAML, its checkpoint keeps."""
    return build_holdout(read_dump(config_text)[0], dataset)


def build_preprocessing(config: CfgNode) -> Preprocessing:
    """Resize and normalisation."""
    if len(config.INPUT.SIZE) != 2:
        raise ValueError(f"INPUT.SIZE must be [height, width], got {config.INPUT.SIZE}")
    height, width = config.INPUT.SIZE
    preprocessing = Preprocessing(height, width, **take(INPUT, config.INPUT, Preprocessing))
    check_colors(preprocessing.mean, preprocessing.std)
    return preprocessing


def build_augmentation(config: CfgNode) -> Augmentation:
    """Random changes of training pictures."""
    red, green, blue = (round(255 * value) for value in config.INPUT.MEAN)
    return Augmentation(fill=(red, green, blue), **take(INPUT, config.INPUT, Augmentation))


def build_batch_shape(config: CfgNode) -> tuple[int, int]:
    """Identities in a batch, and images of each.

    Raises:
        ValueError: one of them is smaller than 1.
    """
    shape = config.SOLVER.IDENTITIES_PER_BATCH, config.SOLVER.IMAGES_PER_IDENTITY
    if min(shape) < 1:
        raise ValueError(f"P and K must be at least 1, got P={shape[0]}, K={shape[1]}")
    return shape


def build_sampler(
    config: CfgNode, labels: list[int], sources: Sequence[int] = ()
) -> PKSampler | BalancedSampler:
    """P x K batches; sources are the data sets of the pictures, none if there is only one."""
    num_identities, num_images = build_batch_shape(config)
    shape = {"num_identities": num_identities, "num_images": num_images, "seed": config.SEED}
    if config.SOLVER.BALANCED and len(set(sources)) > 1:
        return BalancedSampler(labels, sources, **shape)
    return PKSampler(labels, **shape)


def build_net(config: CfgNode, num_classes: int, *, pretrained: bool = True) -> ReidNet:
    """The network, its backbone started as MODEL.PRETRAINED says; channels last, on the CPU."""
    net = ReidNet(NetSettings(config.MODEL.BACKBONE, num_classes, **take(MODEL, config.MODEL, NetSettings)))
    if pretrained and config.MODEL.PRETRAINED != "none":
        count = load_backbone_weights(net, config.MODEL.PRETRAINED)
        logger.info("the backbone starts from %s (%d tensors)", config.MODEL.PRETRAINED, count)
        _compare_normalization(config)
    return net.to(memory_format=torch.channels_last)


def _compare_normalization(config: CfgNode) -> None:
    """Warn where timm's weights were trained with other pixels than INPUT makes."""
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
    """The optimiser over network and losses."""
    return make_optimizer(net, losses, **take(SOLVER, config.SOLVER, make_optimizer))


def build_fit_settings(config: CfgNode) -> FitSettings:
    """How training goes."""
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
    """Length of every run of a comparison."""
    return int(config.COMPARE.NUM_EPOCHS or config.SOLVER.NUM_EPOCHS)


def build_device(config: CfgNode) -> torch.device:
    """Where the network runs."""
    return choose_device(config.MODEL.DEVICE)


def build_loading(config: CfgNode, device: torch.device) -> dict[str, Any]:
    """Keyword arguments of the training loader."""
    # with a cache, workers only copy; what then is left to do is next to nothing for an accelerator
    is_changed_there = bool(config.DATA.CACHE) and device.type != "cpu"
    return {
        "num_workers": config.DATA.NUM_WORKERS,
        "pin_memory": device.type == "cuda",
        "change_on": device if is_changed_there else None,
    }


def build_cache(
    config: CfgNode, samples: Sequence[Sample], preprocessing: Preprocessing, augmentation: Augmentation
) -> DecodedCache | None:
    """Decoded training pictures, decoded now if need be; None if they are to be read from their files."""
    if not config.DATA.CACHE:
        return None
    return open_cache(Path(config.DATA.CACHE), samples, CacheForm(preprocessing, augmentation.crops))


def build_clustering(config: CfgNode) -> bool:
    """Whether image retrieval is scored by clusters too."""
    return bool(config.TEST.CLUSTERING)


def build_output_dir(config: CfgNode) -> Path:
    """The run folder."""
    return Path(config.OUTPUT_DIR)


def build_weights_path(config: CfgNode) -> Path:
    """The checkpoint to test.

    Raises:
        ValueError: none is set.
    """
    if not config.MODEL.WEIGHTS:
        raise ValueError("no weights to test: add MODEL.WEIGHTS <run folder>/model.ckpt to the command")
    return Path(config.MODEL.WEIGHTS)
