"""Train a network as a configuration says, in a run folder of its own."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import nn
from yacs.config import CfgNode

from reid_gl.config import build
from reid_gl.config.load import describe_changes, dump_config
from reid_gl.data.loading.loaders import BatchLoader, ImageBatches, check_images, make_label_map
from reid_gl.data.loading.sampler import BalancedSampler, Part, PKSampler, check_parts
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.distributed.agreement import agreement, first_on_each_host, on_first
from reid_gl.distributed.place import num_restarts
from reid_gl.distributed.ranks import is_first, ranks
from reid_gl.evaluation.scores.protocol import check_protocol
from reid_gl.evaluation.scores.ranking import evaluate_features
from reid_gl.experiment.same_everywhere import check_same_everywhere, check_same_images
from reid_gl.inference.evaluate import NOT_OF_FEATURES, extract_sides
from reid_gl.inference.strategies.apply import KEY
from reid_gl.inference.strategies.pooling_statistics import refusal
from reid_gl.models import read_checkpoint
from reid_gl.models.weights import CHECKPOINT_FORMAT
from reid_gl.records import ReidDataset, Sample
from reid_gl.training.checkpoint import save_checkpoint
from reid_gl.training.fit import FitSettings, TrainingState, fit, make_training_state
from reid_gl.training.log import RunLog, SilentLog
from reid_gl.training.run_folder import CONFIG_FILE, MODEL_FILE, TRAINING_FILE, find_run, open_run_folder

logger = logging.getLogger(__name__)

MAY_CHANGE = (
    *("DATA.ROOT", "DATA.NUM_WORKERS", "MODEL.DEVICE", "OUTPUT_DIR"),  # of the machine
    *("TEST", "COMPARE", "MODEL.WEIGHTS"),  # how a network is scored does not change how it learns
)
"""Keys in which a run to resume may differ from how it began."""


def run_training(
    config: CfgNode, *, resume: bool = False, stop_signal: Callable[[], int] = lambda: 0
) -> tuple[Path, ReidDataset]:
    """Train, or go on training, and leave the weights to use in the run folder as model.ckpt.

    The initial weights come from torch's global random state: seed it first. Inside join_ranks, all ranks
    call this and train together, and rank 0 writes.

    Args:
        config: the experiment.
        resume: continue the run in OUTPUT_DIR; ranks that torchrun has restarted do so unasked.
        stop_signal: number of the signal that asks to stop, or 0.

    Returns:
        The weights to use, and the data set.

    Raises:
        ValueError, FileNotFoundError, FileExistsError: data, configuration or run folder cannot be used.
        BlockingIOError: another process trains in the run folder.
        Interrupted: stopped by a signal with everything saved.
        NonFiniteError: training diverged; the last checkpoint is intact.
    """
    check_same_everywhere(config)
    with agreement():
        settings = _check_settings(config)
    folder = build.build_output_dir(config)
    go_on = on_first(lambda: _find_run(config, folder, resume=resume))
    with agreement():
        dataset = build.build_dataset(config)
        _check_data(config, dataset)
        holdout = build.build_holdout(config, dataset)
        train = holdout.train if holdout is not None else dataset.train
        pids, images = list(make_label_map(train)), _describe_images(train)
        sampler = _make_sampler(config, train)
    check_same_images(images)
    loader = _make_loader(config, train, settings, sampler)
    state = _make_state(config, settings, len(pids), go_on=go_on)
    preprocessing = build.build_preprocessing(config)
    strategies = build.build_strategies(config)
    with agreement():
        if reason := refusal(state.net, strategies.feature, strategies.settings):
            raise ValueError(f"{reason} (the test after this training would fail)")
    header = {
        "format": CHECKPOINT_FORMAT,
        "net": state.net.settings.to_dict(),
        "preprocessing": preprocessing.to_dict(),
        KEY: strategies.to_dict(),
        "pids": pids,
        "config": dump_config(config),
    }
    with open_run_folder(folder, config_text=dump_config(config), go_on=go_on):
        with agreement():
            if go_on:
                _restore(state, folder / TRAINING_FILE, pids, images)
            log = _make_log(folder, settings, sampler, state) if is_first() else SilentLog()
        try:
            fit(
                state,
                loader,
                sampler,
                preprocessing,
                settings,
                log=log,
                save=lambda state, selected: _save(state, selected, header, images, folder),
                evaluate=_make_evaluation(config, holdout or dataset, preprocessing),
                stop_signal=stop_signal,
            )
        finally:
            log.close()
    return folder / MODEL_FILE, dataset


def _check_settings(config: CfgNode) -> FitSettings:
    """How training goes; every mistake in the configuration comes to light before an image is looked at."""
    check_parts(build.build_batch_shape(config)[0], ranks().world_size)
    build.build_preprocessing(config)
    build.build_augmentation(config)
    build.build_losses(config, 2, 2)
    build.build_evaluation(config)
    build.build_extra_queries(config)
    return build.build_fit_settings(config)


def _find_run(config: CfgNode, folder: Path, *, resume: bool) -> bool:
    """Whether the run in the folder goes on, if its configuration is still the same."""
    go_on = find_run(folder, resume=resume or (num_restarts() > 0 and folder.exists()))
    if go_on:
        _check_same_config(config, folder)
    return go_on


def _check_same_config(config: CfgNode, folder: Path) -> None:
    old = (folder / CONFIG_FILE).read_text(encoding="utf-8")
    same_pixels = () if build.build_augmentation(config).crops else ("DATA.CACHE",)  # docs/input.md
    if changed := describe_changes(old, config, may_change=(*MAY_CHANGE, *same_pixels)):
        raise ValueError(
            f"the run in {folder} was started with another configuration ({changed}): resume it with the "
            "same one, or start a new OUTPUT_DIR"
        )


def _check_data(config: CfgNode, dataset: ReidDataset) -> None:
    camera_filter = build.build_evaluation(config)["camera_filter"]
    preflight = check_protocol(dataset.query, dataset.gallery, camera_filter=camera_filter)
    if not dataset.train:
        raise ValueError(f"{dataset.name} has no training set: it can be tested on only (DATA.TEST_NAMES)")
    num_identities = len({sample.pid for sample in dataset.train})
    names = config.DATA.NAMES
    logger.info("%s: %d training images of %d identities", names, len(dataset.train), num_identities)
    logger.info("%s: %s", dataset.name, preflight)
    samples = [*dataset.train, *dataset.query, *dataset.gallery]
    check_images(samples[ranks().local_rank :: ranks().local_world_size])


def _label(train: Sequence[Sample]) -> list[int]:
    label_map = make_label_map(train)
    return [label_map[sample.pid] for sample in train]


def _make_sampler(config: CfgNode, train: Sequence[Sample]) -> PKSampler | BalancedSampler:
    return build.build_sampler(config, _label(train), [sample.source for sample in train])


def _make_loader(
    config: CfgNode,
    train: Sequence[Sample],
    settings: FitSettings,
    sampler: PKSampler | BalancedSampler,
) -> BatchLoader:
    preprocessing, augmentation = build.build_preprocessing(config), build.build_augmentation(config)
    batches = ImageBatches(
        train,
        _label(train),
        preprocessing=preprocessing,
        augmentation=augmentation,
        seed=settings.seed,
        cache=first_on_each_host(lambda: build.build_cache(config, train, preprocessing, augmentation)),
        part=Part(ranks().rank, ranks().world_size),
    )
    return BatchLoader(batches, sampler, **build.build_loading(config, settings.device))


def _make_state(config: CfgNode, settings: FitSettings, num_classes: int, *, go_on: bool) -> TrainingState:
    net = first_on_each_host(lambda: build.build_net(config, num_classes, pretrained=not go_on))
    net = net.to(settings.device)
    losses = build.build_losses(config, num_classes, net.num_features).to(settings.device)
    optimizer = build.build_optimizer(config, net, losses)
    return make_training_state(net, losses, optimizer, settings)


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


def _make_evaluation(
    config: CfgNode, dataset: ReidDataset, preprocessing: Preprocessing
) -> Callable[[nn.Module], dict[str, float]]:
    settings = build.build_evaluation(config)
    extraction = {name: value for name, value in settings.items() if name not in NOT_OF_FEATURES}
    comparison = {name: settings[name] for name in ("metric", "rerank", "max_memory_gb")}
    camera_filter = settings["camera_filter"]

    def run(net: nn.Module) -> dict[str, float]:
        preflight = check_protocol(dataset.query, dataset.gallery, camera_filter=camera_filter)
        query, gallery = extract_sides(net, dataset, preprocessing=preprocessing, **extraction)

        def score() -> dict[str, float]:
            result = evaluate_features(query, gallery, use_cameras=preflight.use_cameras, **comparison)
            return {"rank1": result.rank(1), "mAP": result.mean_ap}

        return on_first(score)

    return run


def _save(
    state: TrainingState, selected: bool, header: dict[str, Any], images: dict[str, Any], folder: Path
) -> None:
    with agreement():
        if is_first():
            _write(state, selected, header, images, folder)


def _write(
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
