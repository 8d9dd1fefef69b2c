"""Several ranks train like one: the proof of the gather, of averaged gradients and of shared statistics."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from reid_gl.distributed.place import Ranks
from reid_gl.training.parallel import SharedBatchNorm, share_statistics
from tests.distributed.run_ranks import check_ranks
from tests.training.rank_steps import CASES, OWN, Result, every_case, take_steps, write_every_case

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def alone() -> Result:
    return every_case()


@pytest.mark.parametrize("world_size", [2, 4])
def test_every_loss_has_the_value_and_the_gradients_of_a_single_process(
    world_size: int, alone: Result, tmp_path: Path
) -> None:
    check_ranks(write_every_case, world_size, tmp_path)
    own = [take_steps(CASES["all"], OWN, part=Ranks(rank, world_size)) for rank in range(world_size)]
    means = {key: torch.stack([one[key].double() for one in own]).mean(0) for key in own[0]}
    del means["gradient_norm"]  # of the mean, which is not the mean
    for rank in range(world_size):
        found: Result = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        assert list(found) == [*alone, "own, overlaps False", "own, overlaps True"]
        for name, expected in alone.items():
            assert_close(found[name], expected, name)
        for name in ("own, overlaps False", "own, overlaps True"):
            del found[name]["gradient_norm"]
            assert_close(found[name], means, name)


def assert_close(found: dict[str, Tensor], expected: dict[str, Tensor], name: str) -> None:
    assert list(found) == list(expected)
    for key, value in expected.items():
        torch.testing.assert_close(
            found[key].double(), value.double(), rtol=1e-9, atol=1e-9, msg=f"{name}, {key}"
        )


def test_the_batch_in_parts_gives_the_gradients_of_the_whole(alone: Result) -> None:
    assert_close(alone["parts"], alone["whole"], "parts")
    assert_close(alone["not overlapped"], alone["all"], "overlap")


def test_statistics_over_ranks_are_those_of_batch_normalisation() -> None:
    generator = torch.Generator().manual_seed(0)
    rows, maps = torch.randn(8, 3, generator=generator), torch.randn(4, 3, 5, 2, generator=generator)
    for layer, values in ((nn.BatchNorm1d(3), rows), (nn.BatchNorm2d(3), maps)):
        for momentum in (0.1, None):
            layer.momentum = momentum
            shared = SharedBatchNorm.of(copy.deepcopy(layer))
            assert list(shared.state_dict()) == list(layer.state_dict())
            for module in (layer, shared):
                module(values)
                module(values + 1)
            for name, value in layer.state_dict().items():
                torch.testing.assert_close(shared.state_dict()[name], value)
            torch.testing.assert_close(shared(values), layer(values))
            torch.testing.assert_close(shared.eval()(values), layer.eval()(values))
            layer.train()


def test_alone_layers_stay_as_they_are() -> None:
    net = nn.Sequential(nn.BatchNorm2d(3))
    share_statistics(net, "cpu")
    assert type(net[0]) is nn.BatchNorm2d
