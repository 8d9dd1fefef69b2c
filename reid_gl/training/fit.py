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
from reid_gl.losses import WeightedSum
from reid_gl.models.reid_net import ReidNet
from reid_gl.records import Batch
from reid_gl.training.optimizer import set_learning_rate
from reid_gl.training.schedule import Schedule
from reid_gl.training.step import NonFiniteError, StepSettings, train_step

logger = logging.getLogger(__name__)


class Interrupted(Exception):  # noqa: N818 - it is no error
    """Training was asked to stop; its state is saved.

    Attributes:
        signal_number: the signal that asked.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(f"stopped by signal {signal_number}; the state is saved, go on with --resume")
        self.signal_number = signal_number


class TrainingLog(Protocol):
    """What fit reports to."""

    def step(self, epoch: int, step: int, num_images: int, values: dict[str, float]) -> None:
        """One step is done."""

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        """One epoch, counted from 1, is done; metrics is empty where nothing was evaluated."""


@dataclass(frozen=True)
class FitSettings:
    """How training goes.

    Attributes:
        schedule: learning rate over time, and the number of epochs.
        step: number format, parts and clipping.
        device: where images and labels go.
        seed: of everything that a loss draws.
        freeze_epochs: epochs in which only the head learns.
        ema_decay: share of the averaged weights kept at each step; 0 for no averaging.
        checkpoint_every: epochs between checkpoints.
        evaluate_every: epochs between evaluations; 0 for none.
        compile_backbone: let torch.compile make the backbone faster; the first steps take minutes.
        select_best: keep the weights with the best evaluated mAP, else the last ones. Must not be set
            when the evaluation uses the test set.
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
    """Everything that changes while training, and what a checkpoint restores.

    Attributes:
        net: the network.
        losses: the losses, which may learn too.
        optimizer: over both.
        scaler: for float16.
        ema: averaged copy of the network, or None.
        epoch: epochs finished.
        step: steps finished in the epoch after those.
        best: highest evaluated mAP so far; -1 before the first.
        metrics: of the last evaluation.
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
        """The network to evaluate and to keep: the averaged one where there is one."""
        return self.ema.module if self.ema is not None else self.net  # type: ignore[return-value]

    def to_dict(self) -> dict[str, Any]:
        """Tensors and plain values that load_dict takes back."""
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
        """Continue from there; also sets torch's global random state, as an uninterrupted run has it."""
        self.net.load_state_dict(values["net"])
        self.losses.load_state_dict(values["losses"])
        self.optimizer.load_state_dict(values["optimizer"])
        self.scaler.load_state_dict(values["scaler"])
        if (self.ema is None) != (values["ema"] is None):
            raise ValueError("the checkpoint and SOLVER.EMA_DECAY disagree on averaging: resume as it began")
        if self.ema is not None:
            self.ema.load_state_dict(values["ema"])
        self.epoch, self.step = values["epoch"], values["step"]
        self.best, self.metrics = values["best"], values["metrics"]
        torch.set_rng_state(values["random"])


def make_training_state(
    net: ReidNet, losses: WeightedSum, optimizer: torch.optim.Optimizer, settings: FitSettings
) -> TrainingState:
    """The state before the first step."""
    ema = None
    if settings.ema_decay:
        average = get_ema_multi_avg_fn(settings.ema_decay)
        ema = AveragedModel(net, multi_avg_fn=average, use_buffers=True)
    if settings.compile_backbone:
        net.backbone.compile()  # in place: names of parameters stay, and the averaged copy is not compiled
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
    """Train from where the state stands to the last epoch.

    Args:
        state: changed in place.
        loader: iterates the sampler's batches.
        sampler: told where to start.
        preprocessing: normalises the images on the device.
        settings: how training goes.
        log: told of every step and epoch.
        save: called (state, is_selected) for each checkpoint; is_selected says that these weights are
            the ones to keep.
        evaluate: network to metrics, "mAP" among them.
        stop_signal: number of the signal that asks to stop, or 0; read after each step.

    Raises:
        Interrupted: a signal asked to stop; the state was saved after a whole step.
        NonFiniteError: names epoch, batch and loss term; the last checkpoint is untouched.
    """
    for epoch in range(state.epoch, settings.schedule.num_epochs):
        _set_mode(state.net, frozen=epoch < settings.freeze_epochs)
        sampler.start_at(epoch, state.step)
        num_steps = state.step + len(sampler)
        for batch in loader:
            factor = settings.schedule.factor(epoch + state.step / num_steps)
            rate = set_learning_rate(state.optimizer, factor)
            values = _step(state, batch, preprocessing, settings, epoch)
            state.step += 1
            log.step(epoch, state.step, len(batch.labels), {**values, "learning_rate": rate})
            if number := stop_signal():
                save(state, False)
                raise Interrupted(number)
        state.epoch, state.step = epoch + 1, 0
        _finish_epoch(state, settings, log, save, evaluate)


def _step(
    state: TrainingState, batch: Batch, preprocessing: Preprocessing, settings: FitSettings, epoch: int
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
