"""Several ranks train like one: the proof of the gather, of averaged gradients and of shared statistics."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.distributed.run_ranks import check_ranks
from tests.training.rank_steps import CASES, Result, every_case, write_every_case

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alone() -> Result:
    return every_case()


@pytest.mark.parametrize("world_size", [2, 4])
def test_every_loss_has_the_value_and_the_gradients_of_a_single_process(
    world_size: int, alone: Result, tmp_path: Path
) -> None:
    check_ranks(write_every_case, world_size, tmp_path)
    for rank in range(world_size):
        found: Result = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        assert list(found) == list(CASES)
        for name in CASES:
            assert list(found[name]) == list(alone[name])
            for key, value in alone[name].items():
                torch.testing.assert_close(
                    found[name][key], value, rtol=1e-9, atol=1e-9, msg=f"{name}, {key}"
                )
