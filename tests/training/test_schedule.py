from __future__ import annotations

import pytest
import torch

from reid_gl.training.schedule import Schedule


def test_strong_baseline_schedule_by_hand() -> None:
    schedule = Schedule(120, warmup_epochs=10, warmup_factor=0.01, milestones=(40, 70))
    assert schedule.factor(0) == pytest.approx(0.01)
    assert schedule.factor(5) == pytest.approx(0.505)
    assert [schedule.factor(epoch) for epoch in (10, 39.9, 40, 70)] == pytest.approx([1, 1, 0.1, 0.01])


def test_cosine_agrees_with_torch() -> None:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=20, eta_min=0.1)
    schedule = Schedule(20, kind="cosine", warmup_epochs=0, final_factor=0.1)
    for epoch in range(21):
        assert schedule.factor(epoch) == pytest.approx(reference.get_last_lr()[0])
        optimizer.step()
        reference.step()


def test_cosine_after_warmup_starts_at_one_and_ends_at_the_final_factor() -> None:
    schedule = Schedule(10, kind="cosine", warmup_epochs=2, final_factor=0.05)
    assert schedule.factor(2) == pytest.approx(1)
    assert schedule.factor(10) == pytest.approx(0.05)


def test_constant() -> None:
    assert Schedule(3, kind="constant", warmup_epochs=0).factor(2.5) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "linear"}, "unknown schedule 'linear'"),
        ({"num_epochs": 0}, "at least one epoch"),
        ({"warmup_factor": 0.0}, r"factor in \(0, 1\]"),
        ({"warmup_epochs": -1}, "no negative length"),
    ],
)
def test_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(**{"num_epochs": 5, **settings})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gamma": -0.1}, r"SOLVER.GAMMA in \(0, 1\], .* got -0.1"),
        ({"milestones": (0,)}, r"SOLVER.MILESTONES from 1, got .*\[0\]"),
        ({"final_factor": 2.0}, r"SOLVER.FINAL_FACTOR in \[0, 1\]"),
        ({"warmup_epochs": float("nan")}, "no negative length, got 0.01 and nan"),
    ],
)
def test_schedules_out_of_range(settings: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Schedule(5, **settings)
