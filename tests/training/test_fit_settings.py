from __future__ import annotations

import pytest
import torch

from reid_gl.training.fit import FitSettings
from reid_gl.training.schedule import Schedule
from reid_gl.training.step import StepSettings


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


def test_settings_of_a_step_out_of_range() -> None:
    for clip_norm in (-1.0, float("nan")):
        with pytest.raises(
            ValueError, match=rf"SOLVER.CLIP_NORM must be at least 0 .no limit., got {clip_norm}"
        ):
            StepSettings(clip_norm=clip_norm)
    with pytest.raises(ValueError, match=r"SOLVER.MICRO_BATCH must be at least 0"):
        StepSettings(micro_batch=-1)


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
