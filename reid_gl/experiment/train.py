"""Train a network as a configuration says, in a run folder of its own."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from reid_gl.config import Config, Experiment, describe_changes, read_experiment
from reid_gl.data.loading.loaders import check_images, make_label_map
from reid_gl.data.loading.sampler import BalancedSampler, PKSampler
from reid_gl.evaluation.scores.protocol import check_protocol
from reid_gl.experiment.load_data import hold_out, load_data, load_extra_queries, make_loader
from reid_gl.experiment.make_network import fit_on_this_machine, make_losses, make_net
from reid_gl.inference.evaluate import evaluate
from reid_gl.inference.strategies.apply import KEY
from reid_gl.inference.strategies.pooling_statistics import refusal
from reid_gl.models import read_checkpoint
from reid_gl.models.weights import CHECKPOINT_FORMAT
from reid_gl.records import ReidDataset, Sample
from reid_gl.training.checkpoint import save_checkpoint
from reid_gl.training.fit import FitSettings, TrainingState, fit, make_training_state
from reid_gl.training.log import RunLog
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.run_folder import CONFIG_FILE, MODEL_FILE, TRAINING_FILE, find_run, open_run_folder

logger = logging.getLogger(__name__)

MAY_CHANGE = (
    *("DATA.ROOT", "DATA.NUM_WORKERS", "MODEL.DEVICE", "OUTPUT_DIR"),  # of the machine
    *("TEST", "COMPARE", "MODEL.WEIGHTS"),  # how a network is scored does not change how it learns
)
"""Keys in which a run to resume may differ from how it began."""


def run_training(
    config: Config, *, resume: bool = False, stop_signal: Callable[[], int] = lambda: 0
) -> tuple[Path, ReidDataset]:
    """Train, or go on training, and leave the weights to use in the run folder as model.ckpt.

    The initial weights come from torch's global random state: seed it first.

    Args:
        config: the experiment.
        resume: continue the run in OUTPUT_DIR.
        stop_signal: number of the signal that asks to stop, or 0.

    Returns:
        The weights to use, and the data set.

    Raises:
        ValueError, FileNotFoundError, FileExistsError: data, configuration or run folder cannot be used.
        BlockingIOError: another process trains in the run folder.
        Interrupted: stopped by a signal with everything saved.
        NonFiniteError: training diverged; the last checkpoint is intact.
    """
    experiment = read_experiment(config)
    settings = _check_settings(experiment)
    folder = experiment.output_dir
    if go_on := find_run(folder, resume=resume):
        _check_same_config(experiment, folder)
    dataset = load_data(experiment.data)
    _check_data(experiment, dataset)
    holdout = hold_out(experiment.data.holdout, dataset)
    train = holdout.train if holdout is not None else dataset.train
    pids = list(make_label_map(train))
    loader, sampler = make_loader(experiment, train, settings.device)
    state = _make_state(experiment, settings, len(pids), go_on=go_on)
    header = _make_header(experiment, state, pids)
    with open_run_folder(folder, config_text=experiment.config_text, go_on=go_on):
        images = _describe_images(train)
        if go_on:
            _restore(state, folder / TRAINING_FILE, pids, images)
        log = _make_log(folder, settings, sampler, state)
        try:
            fit(
                state,
                loader,
                sampler,
                experiment.preprocessing,
                settings,
                log=log,
                save=lambda state, selected: _save(state, selected, header, images, folder),
                evaluate=_make_evaluation(experiment, holdout or dataset),
                stop_signal=stop_signal,
            )
        finally:
            log.close()
    return folder / MODEL_FILE, dataset


def _check_settings(experiment: Experiment) -> FitSettings:
    """Return the settings of the loop; finds mistakes in the configuration before an image is opened."""
    make_losses(experiment, 2, 2)
    load_extra_queries(experiment)
    return fit_on_this_machine(experiment)


def _check_same_config(experiment: Experiment, folder: Path) -> None:
    old = (folder / CONFIG_FILE).read_text(encoding="utf-8")
    same_pixels = () if experiment.augmentation.crops else ("DATA.CACHE",)  # docs/input.md
    if changed := describe_changes(old, experiment.config_text, may_change=(*MAY_CHANGE, *same_pixels)):
        raise ValueError(
            f"the run in {folder} was started with another configuration ({changed}): resume it with the "
            "same one, or start a new OUTPUT_DIR"
        )


def _check_data(experiment: Experiment, dataset: ReidDataset) -> None:
    camera_filter = experiment.scoring.camera_filter
    preflight = check_protocol(dataset.query, dataset.gallery, camera_filter=camera_filter)
    if not dataset.train:
        raise ValueError(f"{dataset.name} has no training set: it can be tested on only (DATA.TEST_NAMES)")
    num_identities = len({sample.pid for sample in dataset.train})
    names = experiment.data.names
    logger.info("%s: %d training images of %d identities", names, len(dataset.train), num_identities)
    logger.info("%s: %s", dataset.name, preflight)
    check_images([*dataset.train, *dataset.query, *dataset.gallery])


def _make_state(
    experiment: Experiment, settings: FitSettings, num_classes: int, *, go_on: bool
) -> TrainingState:
    net = make_net(experiment, num_classes, pretrained=not go_on).to(settings.device)
    losses = make_losses(experiment, num_classes, net.num_features).to(settings.device)
    optimizer = make_optimizer(net, losses, **experiment.optimizer)
    return make_training_state(net, losses, optimizer, settings)


def _make_header(experiment: Experiment, state: TrainingState, pids: list[int]) -> dict[str, Any]:
    """Return what every checkpoint of the run holds beside the weights.

    Raises:
        ValueError: the network cannot use the test-time strategies.
    """
    strategies = experiment.scoring.strategies
    if reason := refusal(state.net, strategies.feature, strategies.settings):
        raise ValueError(f"{reason} (the test after this training would fail)")
    return {
        "format": CHECKPOINT_FORMAT,
        "net": state.net.settings.to_dict(),
        "preprocessing": experiment.preprocessing.to_dict(),
        KEY: strategies.to_dict(),
        "pids": pids,
        "config": experiment.config_text,
    }


def _restore(state: TrainingState, path: Path, pids: list[int], images: dict[str, Any]) -> None:
    checkpoint = read_checkpoint(path)
    if checkpoint["pids"] != pids:
        raise ValueError(
            f"{path} was trained on {len(checkpoint['pids'])} identities, the training set has {len(pids)} "
            "or other ones: give the data set that the run began with"
        )
    before = checkpoint["training"].get("images", images)
    if before != images:
        logger.warning(
            "the training set has %d images and the run began with %d, or other ones: from here on it is not "
            "the run that it would have been",
            images["number"],
            before["number"],
        )
    state.load_dict(checkpoint["training"])
    logger.info("resuming after epoch %d, step %d", state.epoch, state.step)


def _describe_images(train: Sequence[Sample]) -> dict[str, Any]:
    """Number of the images, and a digest of their names, wherever the folder lies."""
    digest = hashlib.sha256()
    for sample in train:
        digest.update(repr((Path(sample.path).name, sample.pid, sample.camid, sample.box)).encode())
    return {"number": len(train), "digest": digest.hexdigest()}


def _make_log(
    folder: Path, settings: FitSettings, sampler: PKSampler | BalancedSampler, state: TrainingState
) -> RunLog:
    first = sampler.epoch_batches(0)
    return RunLog(
        folder,
        num_epochs=settings.schedule.num_epochs,
        steps_per_epoch=len(first),
        batch_size=len(first[0]),
        epoch=state.epoch,
        step=state.step,
    )


def _make_evaluation(experiment: Experiment, dataset: ReidDataset) -> Callable[[nn.Module], dict[str, float]]:
    preprocessing, scoring = experiment.preprocessing, experiment.scoring.arguments()

    def run(net: nn.Module) -> dict[str, float]:
        result = evaluate(net, dataset, preprocessing=preprocessing, **scoring)
        return {"rank1": result.rank(1), "mAP": result.mean_ap}

    return run


def _save(
    state: TrainingState, selected: bool, header: dict[str, Any], images: dict[str, Any], folder: Path
) -> None:
    weights = {
        **header,
        "model": state.final_net.state_dict(),
        "epoch": state.epoch,
        "metrics": dict(state.metrics),
    }
    if selected:
        save_checkpoint(weights, folder / MODEL_FILE)
    save_checkpoint({**weights, "training": {**state.to_dict(), "images": images}}, folder / TRAINING_FILE)
