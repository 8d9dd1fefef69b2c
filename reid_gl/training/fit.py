"""The training loop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from reid_gl.data.loading.loaders import BatchLoader
from reid_gl.data.loading.sampler import BalancedSampler, PKSampler
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.distributed.ranks import launcher_signal, ranks
from reid_gl.distributed.tensors import copy_from_first, largest
from reid_gl.losses import WeightedSum
from reid_gl.models.reid_net import ReidNet
from reid_gl.records import Batch
from reid_gl.training.optimizer import set_learning_rate
from reid_gl.training.parallel import ParallelBackbone, share_statistics
from reid_gl.training.schedule import Schedule
from reid_gl.training.step import NonFiniteError, StepSettings, train_step

logger = logging.getLogger(__name__)


class Interrupted(Exception):  # noqa: N818 - this is not an error
    """A signal stopped the training run; its state is saved.

    Attributes:
        signal_number: number of the signal.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}; the state is saved; continue with --resume")
        self.signal_number = signal_number


class TrainingLog(Protocol):
    """The log that fit reports to."""

    def step(self, epoch: int, step: int, num_images: int, values: dict[str, float]) -> None:
        """Report one finished step."""

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """Report one finished epoch, counted from 1; metrics is empty if nothing was evaluated."""


@dataclass(frozen=True)
class FitSettings:
    """Settings of a training run.

    Attributes:
        schedule: learning rate over time, and the number of epochs.
        step: precision, micro-batches and gradient clipping.
        device: device of images and labels.
        seed: seed of all random numbers that a loss draws.
        freeze_epochs: number of first epochs that train only the head.
        ema_decay: share of the averaged weights kept at each step; 0 for no averaging.
        checkpoint_every: epochs between checkpoints.
        evaluate_every: epochs between evaluations; 0 for none.
        compile_backbone: speed up the backbone with torch.compile; the first steps take minutes.
        select_best: keep the weights with the best evaluated mAP, otherwise the last ones. Must not be set
            if the evaluation uses the test set.
    """

    schedule: Schedule
    step: StepSettings
    device: torch.device
    seed: int = 0
    freeze_epochs: int = 0
    ema_decay: float = 0.0
    checkpoint_every: int = 1
    evaluate_every: int = 10
    compile_backbone: bool = False
    select_best: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"SOLVER.EMA_DECAY must lie in [0, 1), 0 for no averaging, got {self.ema_decay}")
        least = {"freeze_epochs": 0, "checkpoint_every": 1, "evaluate_every": 0}
        for name, smallest in least.items():
            if getattr(self, name) < smallest:
                raise ValueError(
                    f"SOLVER.{name.upper()} must be at least {smallest}, got {getattr(self, name)}"
                )


@dataclass
class TrainingState:
    """Everything that changes during training and that a checkpoint restores.

    Attributes:
        net: the network.
        losses: the losses, which may have parameters.
        optimizer: optimiser of both.
        scaler: loss scaler, for float16.
        ema: averaged copy of the network, or None.
        epoch: number of finished epochs.
        step: number of finished steps in the current epoch.
        best: highest evaluated mAP so far; -1 before the first evaluation.
        metrics: result of the last evaluation.
    """

    net: ReidNet
    losses: WeightedSum
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    ema: AveragedModel | None = None
    epoch: int = 0
    step: int = 0
    best: float = -1.0
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def final_net(self) -> ReidNet:
        """The network to evaluate and keep: the averaged one if there is one."""
        return self.ema.module if self.ema is not None else self.net  # type: ignore[return-value]

    def to_dict(self) -> dict[str, Any]:
        """Tensors and plain values, for load_dict."""
        return {
            "net": self.net.state_dict(),
            "losses": self.losses.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "ema": self.ema.state_dict() if self.ema is not None else None,
            "epoch": self.epoch,
            "step": self.step,
            "best": self.best,
            "metrics": dict(self.metrics),
            "random": torch.get_rng_state(),
        }

    def load_dict(self, values: dict[str, Any]) -> None:
        """Restore a saved state, including torch's global random state, as in an uninterrupted run."""
        self.net.load_state_dict(values["net"])
        self.losses.load_state_dict(values["losses"])
        self.optimizer.load_state_dict(values["optimizer"])
        self.scaler.load_state_dict(values["scaler"])
        if (self.ema is None) != (values["ema"] is None):
            raise ValueError(
                "the checkpoint and SOLVER.EMA_DECAY disagree on averaging: resume with the original value"
            )
        if self.ema is not None:
            self.ema.load_state_dict(values["ema"])
        self.epoch, self.step = values["epoch"], values["step"]
        self.best, self.metrics = values["best"], values["metrics"]
        torch.set_rng_state(values["random"])


def make_training_state(
    net: ReidNet, losses: WeightedSum, optimizer: torch.optim.Optimizer, settings: FitSettings
) -> TrainingState:
    """Make the state before the first step, on several ranks with the weights of rank 0."""
    if settings.step.sync_batch_norm:  # with gathered features, the neck sees the whole batch anyway
        share_statistics(net.backbone if settings.step.gather else net, settings.device.type)
    copy_from_first(tensor for part in (net, losses) for tensor in (*part.parameters(), *part.buffers()))
    ema = None
    if settings.ema_decay:
        average = get_ema_multi_avg_fn(settings.ema_decay)
        ema = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
    if settings.compile_backbone:
        net.backbone.compile()  # in place: parameter names stay, and the averaged copy is not compiled
    scaler = torch.amp.GradScaler(settings.device.type, enabled=settings.step.dtype == torch.float16)
    return TrainingState(net, losses, optimizer, scaler, ema)


def fit(
    state: TrainingState,
    loader: BatchLoader,
    sampler: PKSampler | BalancedSampler,
    preprocessing: Preprocessing,
    settings: FitSettings,
    *,
    log: TrainingLog,
    save: Callable[[TrainingState, bool], None],
    evaluate: Callable[[ReidNet], dict[str, float]] | None = None,
    stop_signal: Callable[[], int] = lambda: 0,
) -> None:
    """Train from the given state to the last epoch; several ranks call it together.

    Args:
        state: updated in place.
        loader: iterates over the sampler's batches, or over this rank's part of each.
        sampler: sampler of the loader; told at which epoch and step to start.
        preprocessing: normalises the images on the device.
        settings: settings of the training run.
        log: receives every step and epoch.
        save: called with (state, is_selected) for each checkpoint, on every rank; is_selected means that
            these are the weights to keep.
        evaluate: maps a network to metrics, including "mAP", the same on every rank.
        stop_signal: returns the number of the signal that asks to stop, or 0; called after each step.

    Raises:
        Interrupted: a signal asked a rank to stop, or its torchrun was killed; the state was saved after a
            complete step.
        NonFiniteError: names epoch, batch and loss term; the last checkpoint is unchanged.
    """
    backbone = None
    for epoch in range(state.epoch, settings.schedule.num_epochs):
        _set_mode(state.net, frozen=epoch < settings.freeze_epochs)
        if backbone is None or epoch == settings.freeze_epochs:
            backbone = ParallelBackbone(state.net)
        sampler.start_at(epoch, state.step)
        num_steps = state.step + len(sampler)
        for batch in loader:
            factor = settings.schedule.factor(epoch + state.step / num_steps)
            rate = set_learning_rate(state.optimizer, factor)
            values = _step(state, batch, preprocessing, settings, epoch, backbone)
            state.step += 1
            num_images = len(batch.labels) * ranks().world_size
            log.step(epoch, state.step, num_images, {**values, "learning_rate": rate})
            if number := largest(stop_signal() or launcher_signal()):
                save(state, False)
                raise Interrupted(number)
        state.epoch, state.step = epoch + 1, 0
        _finish_epoch(state, settings, log, save, evaluate)


def _step(
    state: TrainingState,
    batch: Batch,
    preprocessing: Preprocessing,
    settings: FitSettings,
    epoch: int,
    backbone: ParallelBackbone,
) -> dict[str, float]:
    images = preprocessing.normalize(batch.images.to(settings.device, non_blocking=True))
    seed = np.random.SeedSequence((settings.seed, epoch, state.step)).generate_state(1, np.uint64)[0]
    try:
        values = train_step(
            state.net,
            state.losses,
            state.optimizer,
            images.contiguous(memory_format=torch.channels_last),
            batch.labels.to(settings.device, non_blocking=True),
            settings=settings.step,
            scaler=state.scaler,
            generator=torch.Generator().manual_seed(int(seed >> np.uint64(1))),
            backbone=backbone,
        )
    except NonFiniteError as error:
        raise NonFiniteError(
            f"epoch {epoch + 1}, batch {state.step + 1}: {error}. The last checkpoint is intact; lower "
            "SOLVER.BASE_LR, set SOLVER.CLIP_NORM, or use SOLVER.PRECISION float32"
        ) from None
    if state.ema is not None:
        state.ema.update_parameters(state.net)
    return values


def _finish_epoch(
    state: TrainingState,
    settings: FitSettings,
    log: TrainingLog,
    save: Callable[[TrainingState, bool], None],
    evaluate: Callable[[ReidNet], dict[str, float]] | None,
) -> None:
    is_last = state.epoch == settings.schedule.num_epochs
    every = settings.evaluate_every
    is_evaluated = evaluate is not None and every > 0 and (is_last or state.epoch % every == 0)
    if evaluate is not None and is_evaluated:
        state.metrics = evaluate(state.final_net)
    is_selected = not settings.select_best
    if settings.select_best and is_evaluated and state.metrics["mAP"] > state.best:
        state.best, is_selected = state.metrics["mAP"], True
    log.epoch(state.epoch, state.metrics if is_evaluated else {})
    if is_last or state.epoch % settings.checkpoint_every == 0 or (settings.select_best and is_selected):
        save(state, is_selected)


def _set_mode(net: ReidNet, *, frozen: bool) -> None:
    net.train()
    net.backbone.train(not frozen)
    net.backbone.requires_grad_(not frozen)
