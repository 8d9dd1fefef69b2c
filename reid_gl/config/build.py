"""Reads a configuration into the record of an experiment.

Only this file, build_losses and build_inference read config keys.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TypeAlias

import torch
from yacs.config import CfgNode

from reid_gl.config.build_inference import build_scoring
from reid_gl.config.build_losses import build_loss_settings
from reid_gl.config.defaults import INPUT, MODEL, SOLVER
from reid_gl.config.experiment import BatchShape, DataSettings, Experiment, Holdout
from reid_gl.config.keys import take
from reid_gl.config.load import dump_config, load_config, read_dump
from reid_gl.data.loading.augmentation import Augmentation
from reid_gl.data.loading.transforms import Preprocessing, check_colors
from reid_gl.models import NetSettings
from reid_gl.training.fit import FitSettings
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.schedule import Schedule
from reid_gl.training.step import StepSettings

Config: TypeAlias = CfgNode | Experiment
"""Argument type of the functions of `experiment/`: a configuration, or its record."""


def load_experiment(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Experiment:
    """Load a configuration and read it into a record.

    Raises:
        ValueError, FileNotFoundError: as load_config and read_experiment.
    """
    return read_experiment(load_config(path, overrides))


def read_experiment(config: Config) -> Experiment:
    """Read every key of a configuration into a record; a record is returned as it is.

    Raises:
        ValueError: values are out of range or contradict each other.
    """
    if isinstance(config, Experiment):
        return config
    net = NetSettings(config.MODEL.BACKBONE, 1, **take(MODEL, config.MODEL, NetSettings))
    return Experiment(
        seed=config.SEED,
        output_dir=Path(config.OUTPUT_DIR),
        data=_build_data(config),
        preprocessing=_build_preprocessing(config),
        augmentation=_build_augmentation(config),
        batches=_build_batch_shape(config),
        net=net,
        pretrained=config.MODEL.PRETRAINED,
        device=config.MODEL.DEVICE,
        weights=Path(config.MODEL.WEIGHTS) if config.MODEL.WEIGHTS else None,
        losses=build_loss_settings(config),
        optimizer=take(SOLVER, config.SOLVER, make_optimizer),
        fit=_build_fit_settings(config),
        precision=config.SOLVER.PRECISION,
        scoring=build_scoring(config),
        multi_query=config.TEST.MULTI_QUERY,
        clustering=config.TEST.CLUSTERING,
        comparison_epochs=config.COMPARE.NUM_EPOCHS or config.SOLVER.NUM_EPOCHS,
        config_text=dump_config(config),
    )


def read_holdout(config_text: str) -> Holdout:
    """Return which identities a run held out, from the configuration (YAML) stored in its checkpoint.

    Raises:
        ConfigError: as read_dump.
    """
    return _build_holdout(read_dump(config_text)[0])


def _build_data(config: CfgNode) -> DataSettings:
    data = config.DATA
    return DataSettings(
        root=data.ROOT,
        names=data.NAMES,
        test_names=data.TEST_NAMES or data.NAMES,
        pattern=data.PATTERN,
        split_map=data.SPLIT_MAP,
        leave_out=data.LEAVE_OUT,
        detections=data.DETECTIONS,
        min_detection_score=data.MIN_DETECTION_SCORE,
        holdout=_build_holdout(config),
        num_workers=data.NUM_WORKERS,
        cache=Path(data.CACHE) if data.CACHE else None,
    )


def _build_holdout(config: CfgNode) -> Holdout:
    return Holdout(config.DATA.HOLDOUT, config.SEED)


def _build_preprocessing(config: CfgNode) -> Preprocessing:
    height, width = config.INPUT.SIZE
    preprocessing = Preprocessing(height, width, **take(INPUT, config.INPUT, Preprocessing))
    check_colors(preprocessing.mean, preprocessing.std)
    return preprocessing


def _build_augmentation(config: CfgNode) -> Augmentation:
    red, green, blue = (round(255 * value) for value in config.INPUT.MEAN)
    return Augmentation(fill=(red, green, blue), **take(INPUT, config.INPUT, Augmentation))


def _build_batch_shape(config: CfgNode) -> BatchShape:
    solver = config.SOLVER
    return BatchShape(solver.IDENTITIES_PER_BATCH, solver.IMAGES_PER_IDENTITY, solver.BALANCED)


def _build_fit_settings(config: CfgNode) -> FitSettings:
    """Build the settings of the training loop for float32 on the CPU; the machine decides the rest later."""
    solver = config.SOLVER
    return FitSettings(
        schedule=Schedule(solver.NUM_EPOCHS, **take(SOLVER, solver, Schedule)),
        step=StepSettings(**take(SOLVER, solver, StepSettings)),
        device=torch.device("cpu"),
        seed=config.SEED,
        select_best=config.DATA.HOLDOUT > 0 and solver.EVALUATE_EVERY > 0,
        **take(SOLVER, solver, FitSettings),
    )
