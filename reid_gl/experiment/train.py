"""Train the network that a configuration describes, in its own run folder."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from reid_gl.config import Config, Experiment, describe_changes, read_experiment, read_kept
from reid_gl.data.loading.sampler import check_parts
from reid_gl.distributed.agreement import agreement, first_on_each_host, on_first
from reid_gl.distributed.place import num_restarts
from reid_gl.distributed.ranks import is_first, ranks
from reid_gl.evaluation.scores.protocol import check_test_set
from reid_gl.evaluation.scores.ranking import evaluate_features
from reid_gl.experiment.load_data import load_extra_queries, make_loader
from reid_gl.experiment.make_network import fit_on_this_machine, make_losses, make_net
from reid_gl.experiment.same_everywhere import check_same_everywhere, check_same_images
from reid_gl.experiment.training_data import TrainingData, load_training_data
from reid_gl.inference.evaluate import NOT_OF_FEATURES, extract_sides
from reid_gl.inference.strategies.apply import KEY
from reid_gl.inference.strategies.pooling_statistics import refusal
from reid_gl.models import read_checkpoint
from reid_gl.models.weights import CHECKPOINT_FORMAT
from reid_gl.records import ReidDataset
from reid_gl.training.checkpoint import save_checkpoint
from reid_gl.training.fit import FitSettings, TrainingState, fit, make_training_state
from reid_gl.training.log import RunLog, SilentLog
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.run_folder import CONFIG_FILE, MODEL_FILE, TRAINING_FILE, find_run, open_run_folder

logger = logging.getLogger(__name__)

MAY_CHANGE = (
    *("DATA.ROOT", "DATA.NUM_WORKERS", "MODEL.DEVICE", "OUTPUT_DIR"),  # of the machine
    *("TEST", "COMPARE", "MODEL.WEIGHTS"),  # how a network is scored does not change how it learns
)
"""Keys that may differ between a run and its resumption."""


def run_training(
    config: Config, *, resume: bool = False, stop_signal: Callable[[], int] = lambda: 0
) -> tuple[Path, ReidDataset]:
    """Train or resume training, and leave the final weights in the run folder as model.ckpt.

    The initial weights come from torch's global random state: seed it first. Inside join_ranks, all ranks
    call this and train together, and rank 0 writes.

    Args:
        config: the experiment.
        resume: continue the run in OUTPUT_DIR; ranks that torchrun has restarted always do so.
        stop_signal: number of the signal that asks to stop, or 0.

    Returns:
        The weights to use, and the data set.

    Raises:
        ValueError, FileNotFoundError, FileExistsError: data, configuration or run folder cannot be used.
        BlockingIOError: another process trains in the run folder.
        Interrupted: stopped by a signal with everything saved.
        NonFiniteError: training diverged; the last checkpoint is intact.
    """
    with agreement():
        experiment = read_experiment(config)
    check_same_everywhere(experiment.config_text)
    with agreement():
        settings = _check_settings(experiment)
    folder = experiment.output_dir
    resuming = on_first(lambda: _find_run(experiment, resume=resume))
    with agreement():
        data = load_training_data(experiment)
    check_same_images(data.description)
    loader = make_loader(experiment, data.split.train, data.sampler, settings.device)
    state = _make_state(experiment, settings, len(data.pids), resuming=resuming)
    with agreement():
        header = _make_header(experiment, state, data.pids)
    with open_run_folder(folder, config_text=experiment.config_text, resuming=resuming):
        with agreement():
            if resuming:
                _restore(state, folder / TRAINING_FILE, data)
            log = _make_log(folder, settings, data, state) if is_first() else SilentLog()
        try:
            fit(
                state,
                loader,
                data.sampler,
                experiment.preprocessing,
                settings,
                log=log,
                save=lambda state, selected: _save(state, selected, header, data, folder),
                evaluate=_make_evaluation(experiment, data.split),
                stop_signal=stop_signal,
            )
        finally:
            log.close()
    return folder / MODEL_FILE, data.dataset


def _check_settings(experiment: Experiment) -> FitSettings:
    """Return the settings of the loop; finds mistakes in the configuration before an image is opened."""
    check_parts(experiment.batches.num_identities, ranks().world_size)
    make_losses(experiment, 2, 2)
    load_extra_queries(experiment)
    return fit_on_this_machine(experiment)


def _find_run(experiment: Experiment, *, resume: bool) -> bool:
    """Return whether the run in the folder is resumed, after comparing its configuration."""
    folder = experiment.output_dir
    resuming = find_run(folder, resume=resume or (num_restarts() > 0 and folder.exists()))
    if resuming:
        _check_same_config(experiment, folder)
    return resuming


def _check_same_config(experiment: Experiment, folder: Path) -> None:
    kept = folder / CONFIG_FILE
    same_pixels = () if experiment.augmentation.crops else ("DATA.CACHE",)  # docs/input.md
    may_change = (*MAY_CHANGE, *same_pixels)
    new = experiment.config_text
    if changed := describe_changes(read_kept(kept), new, may_change=may_change, source=str(kept)):
        raise ValueError(
            f"the run in {folder} was started with another configuration ({changed}): resume it with the "
            "same one, or start a new OUTPUT_DIR"
        )


def _make_state(
    experiment: Experiment, settings: FitSettings, num_classes: int, *, resuming: bool
) -> TrainingState:
    net = first_on_each_host(lambda: make_net(experiment, num_classes, pretrained=not resuming))
    net = net.to(settings.device)
    losses = make_losses(experiment, num_classes, net.num_features).to(settings.device)
    optimizer = make_optimizer(net, losses, **experiment.optimizer)
    return make_training_state(net, losses, optimizer, settings)


def _make_header(experiment: Experiment, state: TrainingState, pids: list[int]) -> dict[str, Any]:
    """Return what every checkpoint of the run holds in addition to the weights.

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


def _restore(state: TrainingState, path: Path, data: TrainingData) -> None:
    checkpoint = read_checkpoint(path)
    if checkpoint["pids"] != data.pids:
        raise ValueError(
            f"{path} was trained on {len(checkpoint['pids'])} identities, the training set has "
            f"{len(data.pids)} or different ones: give the data set that the run began with"
        )
    now = data.description
    before = checkpoint["training"].get("images", now)
    if before != now:
        logger.warning(
            "the training set has %d images, the run began with %d, and they differ: the resumed run will "
            "not match an uninterrupted one",
            now["number"],
            before["number"],
        )
    state.load_dict(checkpoint["training"])
    logger.info("resuming after epoch %d, step %d", state.epoch, state.step)


def _make_log(folder: Path, settings: FitSettings, data: TrainingData, state: TrainingState) -> RunLog:
    first = data.sampler.epoch_batches(0)
    return RunLog(
        folder,
        num_epochs=settings.schedule.num_epochs,
        steps_per_epoch=len(first),
        batch_size=len(first[0]),
        epoch=state.epoch,
        step=state.step,
    )


def _make_evaluation(experiment: Experiment, dataset: ReidDataset) -> Callable[[nn.Module], dict[str, float]]:
    preprocessing, scoring = experiment.preprocessing, experiment.scoring
    extraction = scoring.arguments(without=NOT_OF_FEATURES)
    comparison = {name: getattr(scoring, name) for name in ("metric", "rerank", "max_memory_gb")}

    def run(net: nn.Module) -> dict[str, float]:
        preflight = check_test_set(dataset, camera_filter=scoring.camera_filter)
        query, gallery = extract_sides(net, dataset, preprocessing=preprocessing, **extraction)

        def score() -> dict[str, float]:
            result = evaluate_features(
                query,
                gallery,
                use_cameras=preflight.use_cameras,
                draws=dataset.draws,
                search=dataset.search,
                **comparison,
            )
            return {"rank1": result.rank(1), "mAP": result.mean_ap}

        return on_first(score)

    return run


def _save(
    state: TrainingState, selected: bool, header: dict[str, Any], data: TrainingData, folder: Path
) -> None:
    with agreement():
        if is_first():
            _write(state, selected, header, data.description, folder)


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
