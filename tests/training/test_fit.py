"""The training loop, on a network of two layers and batches that are drawn in memory."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from reid_gl.data.loading.sampler import PKSampler
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.losses import CrossEntropyLoss, LossTerm, WeightedSum
from reid_gl.models import NetSettings, ReidNet
from reid_gl.records import Batch
from reid_gl.training.fit import FitSettings, Interrupted, TrainingState, fit, make_training_state
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.schedule import Schedule
from reid_gl.training.step import NonFiniteError, StepSettings

NUM_IDENTITIES, NUM_IMAGES = 4, 6
LABELS = [identity for identity in range(NUM_IDENTITIES) for _ in range(NUM_IMAGES)]
IMAGES = torch.randint(
    0, 256, (len(LABELS), 3, 8, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)
)
STEPS_PER_EPOCH = 6
SETTINGS = FitSettings(
    Schedule(3, kind="cosine", warmup_epochs=1.0), StepSettings(), torch.device("cpu"), evaluate_every=0
)

Saved = list[tuple[dict[str, Any], bool]]


class Loader:
    """What BatchLoader is, without files."""

    def __init__(self, sampler: PKSampler) -> None:
        self._sampler = sampler

    def __iter__(self) -> Iterator[Batch]:
        for key in self._sampler:
            rows = list(key.indices)
            yield Batch(IMAGES[rows], torch.tensor(LABELS)[rows], torch.zeros(len(rows), dtype=torch.int64))


class Log:
    """Keeps what fit reports."""

    def __init__(self) -> None:
        self.steps: list[tuple[int, int, dict[str, float]]] = []
        self.epochs: list[tuple[int, dict[str, float]]] = []

    def step(self, epoch: int, step: int, num_images: int, values: dict[str, float]) -> None:
        assert num_images == 4
        self.steps.append((epoch, step, values))

    def epoch(self, epoch: int, metrics: dict[str, float]) -> None:
        self.epochs.append((epoch, dict(metrics)))


def make_state(settings: FitSettings = SETTINGS) -> TrainingState:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        backbone = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        net = ReidNet(NetSettings("own", NUM_IDENTITIES), backbone)
    losses = WeightedSum([LossTerm("cross_entropy", CrossEntropyLoss())])
    return make_training_state(net, losses, make_optimizer(net, losses, lr=0.01), settings)


def run(
    state: TrainingState,
    settings: FitSettings = SETTINGS,
    *,
    evaluate: Callable[[ReidNet], dict[str, float]] | None = None,
    stop_after: int = 0,
    saved: Saved | None = None,
) -> tuple[Log, Saved]:
    """Train; return the log and what was saved.

    Args:
        state: updated in place.
        settings: of the run.
        evaluate: as for fit.
        stop_after: number of steps before a signal comes; 0 for none.
        saved: gets what was saved, also if the run is stopped.
    """
    log, saved = Log(), [] if saved is None else saved
    sampler = PKSampler(LABELS, num_identities=2, num_images=2, seed=1)
    fit(
        state,
        Loader(sampler),  # type: ignore[arg-type]
        sampler,
        Preprocessing(8, 4),
        settings,
        log=log,
        save=lambda state, is_selected: saved.append((copy.deepcopy(state.to_dict()), is_selected)),
        evaluate=evaluate,
        stop_signal=lambda: 15 if stop_after and len(log.steps) >= stop_after else 0,
    )
    return log, saved


def weights(state: TrainingState) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in state.net.parameters()])


def test_every_epoch_and_step_is_reported_with_the_rate_of_the_schedule() -> None:
    log, saved = run(make_state())
    assert [(epoch, step) for epoch, step, _ in log.steps] == [
        (epoch, step) for epoch in range(3) for step in range(1, STEPS_PER_EPOCH + 1)
    ]
    for epoch, step, values in log.steps:
        factor = SETTINGS.schedule.factor(epoch + (step - 1) / STEPS_PER_EPOCH)
        assert values["learning_rate"] == pytest.approx(0.01 * factor)
    assert log.epochs == [(1, {}), (2, {}), (3, {})]
    assert [state["epoch"] for state, _ in saved] == [1, 2, 3]
    assert all(is_selected for _, is_selected in saved)


@pytest.mark.parametrize("stop_after", [1, STEPS_PER_EPOCH, STEPS_PER_EPOCH + 3])
def test_a_stopped_run_that_resumes_ends_with_the_same_weights(stop_after: int) -> None:
    settings = replace(SETTINGS, ema_decay=0.9)
    whole = make_state(settings)
    run(whole, settings)

    kept: Saved = []
    with pytest.raises(Interrupted, match="stopped by signal 15"):
        run(make_state(settings), settings, stop_after=stop_after, saved=kept)
    values, is_selected = kept[-1]
    assert not is_selected
    second = make_state(settings)
    second.load_dict(values)
    run(second, settings)
    assert torch.equal(weights(second), weights(whole))
    for name, tensor in whole.final_net.state_dict().items():
        assert torch.equal(second.final_net.state_dict()[name], tensor), name


def test_evaluation_and_checkpoints_come_when_they_are_due() -> None:
    settings = replace(SETTINGS, schedule=Schedule(5), evaluate_every=2, checkpoint_every=3)
    log, saved = run(make_state(settings), settings, evaluate=lambda _: {"mAP": 0.5})
    assert log.epochs == [(1, {}), (2, {"mAP": 0.5}), (3, {}), (4, {"mAP": 0.5}), (5, {"mAP": 0.5})]
    assert [state["epoch"] for state, _ in saved] == [3, 5]


def test_the_best_epoch_is_the_one_to_keep() -> None:
    settings = replace(
        SETTINGS, schedule=Schedule(4), evaluate_every=1, checkpoint_every=10, select_best=True
    )
    scores = iter([0.2, 0.6, 0.4, 0.5])
    state = make_state(settings)
    _, saved = run(state, settings, evaluate=lambda _: {"mAP": next(scores)})
    assert [(state["epoch"], is_selected) for state, is_selected in saved] == [
        (1, True),
        (2, True),
        (4, False),
    ]
    assert (state.best, state.metrics) == (0.6, {"mAP": 0.5})


def test_frozen_epochs_train_the_head_only() -> None:
    settings = replace(SETTINGS, schedule=Schedule(2), freeze_epochs=1)
    state = make_state(settings)
    before = copy.deepcopy(state.net.state_dict())
    _, saved = run(state, settings)
    frozen, free = saved[0][0]["net"], saved[1][0]["net"]
    changed = {name for name, tensor in frozen.items() if not torch.equal(tensor, before[name])}
    assert changed
    assert not any(name.startswith("backbone.") for name in changed)
    assert not torch.equal(free["backbone.0.weight"], before["backbone.0.weight"])


def test_the_averaged_network_follows_by_its_decay_and_is_what_is_evaluated() -> None:
    settings = replace(SETTINGS, schedule=Schedule(1), ema_decay=0.75, evaluate_every=1)
    state, seen = make_state(settings), []
    with pytest.raises(Interrupted):
        run(state, settings, stop_after=1)
    first = state.net.backbone[0].weight.detach().clone()  # type: ignore[union-attr]
    run_state = make_state(settings)
    with pytest.raises(Interrupted):
        run(run_state, settings, stop_after=2)
    second = run_state.net.backbone[0].weight.detach()  # type: ignore[union-attr]
    average = run_state.final_net.backbone[0].weight.detach()  # type: ignore[union-attr]
    assert torch.allclose(average, 0.75 * first + 0.25 * second, atol=1e-7)

    def evaluate(net: ReidNet) -> dict[str, float]:
        seen.append(net)
        return {"mAP": 0.0}

    last = make_state(settings)
    run(last, settings, evaluate=evaluate)
    assert seen == [last.final_net]
    assert last.final_net is not last.net


def test_a_loss_that_is_not_finite_names_epoch_and_batch() -> None:
    state = make_state()
    with torch.no_grad():
        state.net.classifier.weight.fill_(float("nan"))
    with pytest.raises(NonFiniteError, match=r"epoch 1, batch 1: .*lower SOLVER.BASE_LR"):
        run(state)


def test_a_state_without_average_does_not_fit_one_with() -> None:
    with pytest.raises(ValueError, match="disagree on averaging: resume with the original value"):
        make_state(replace(SETTINGS, ema_decay=0.5)).load_dict(make_state().to_dict())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ema_decay": 1.0}, r"SOLVER.EMA_DECAY must lie in \[0, 1\), 0 for no averaging, got 1.0"),
        ({"ema_decay": float("nan")}, "SOLVER.EMA_DECAY must lie in .* got nan"),
        ({"freeze_epochs": -1}, "SOLVER.FREEZE_EPOCHS must be at least 0, got -1"),
        ({"checkpoint_every": 0}, "SOLVER.CHECKPOINT_EVERY must be at least 1, got 0"),
        ({"evaluate_every": -1}, "SOLVER.EVALUATE_EVERY must be at least 0, got -1"),
    ],
)
def test_settings_of_a_training_out_of_range(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FitSettings(Schedule(1), StepSettings(), torch.device("cpu"), **settings)
