"""What ranks do in test_agreement and test_tensors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_gl.distributed.agreement import (
    agreement,
    bytes_of_first,
    first_on_each_host,
    gather_blocks,
    gather_bytes,
    on_first,
    own_block,
    value_of_first,
)
from reid_gl.distributed.place import OtherRankError, StoppedTogetherError
from reid_gl.distributed.ranks import is_joined, ranks
from reid_gl.distributed.tensors import (
    average_in_place,
    copy_from_first,
    gather_rows,
    largest,
    sum_over_ranks,
)


def exchange_tensors() -> None:
    place = ranks()
    assert is_joined()
    rows = torch.full((2, 3), float(place.rank), requires_grad=True)
    gathered = gather_rows(rows)
    assert gathered[:, 0].tolist() == [rank for rank in range(place.world_size) for _ in range(2)]
    weights = torch.arange(gathered.numel(), dtype=torch.float32).reshape(gathered.shape)
    (gathered * weights).sum().backward()
    assert rows.grad is not None
    assert torch.equal(rows.grad, place.world_size * weights[2 * place.rank : 2 * place.rank + 2])
    assert gather_rows(torch.tensor([place.rank])).tolist() == list(range(place.world_size))

    value = torch.tensor(float(place.rank), requires_grad=True)
    (sum_over_ranks(value) * (place.rank + 1)).backward()  # another scalar on each rank
    assert value.grad == sum(range(1, place.world_size + 1))

    mixed = [torch.full((2,), float(place.rank)), torch.tensor(place.rank, dtype=torch.float64)]
    average_in_place([*mixed, torch.zeros(0)])
    mean = (place.world_size - 1) / 2
    assert mixed[0].tolist() == [mean, mean]
    assert mixed[1] == mean

    parameter = torch.full((3,), float(place.rank + 5), requires_grad=True)
    number = torch.tensor(place.rank)
    copy_from_first([parameter, number])
    assert parameter.tolist() == [5.0] * 3
    assert number == 0
    assert largest(place.rank * 15) == 15 * (place.world_size - 1)


def exchange_values() -> None:
    place = ranks()
    assert gather_bytes(b"x" * place.rank) == [b"x" * rank for rank in range(place.world_size)]
    assert bytes_of_first(b"first" if place.rank == 0 else b"") == b"first"
    assert bytes_of_first(b"") == b""
    assert value_of_first({"rank": place.rank}) == {"rank": 0}
    for count in (1, 5):
        rows = np.arange(count * 2, dtype=np.float32).reshape(count, 2)
        own = rows[own_block(count)]
        found = gather_blocks(own if len(own) else np.empty((0, 0), dtype=np.float32))
        assert found.tolist() == rows.tolist()


def fail_on_last() -> None:
    with agreement():
        if ranks().rank == ranks().world_size - 1:
            raise FileNotFoundError("no such folder")


def agree_on_errors(folder: Path) -> None:
    place = ranks()
    with agreement():
        pass
    with pytest.raises(OtherRankError if place.rank == 0 else StoppedTogetherError) as stopped:
        fail_on_last()
    if place.rank == 0:
        assert str(stopped.value) == f"rank {place.world_size - 1}: no such folder"
    with pytest.raises(KeyError if place.rank == 0 else StoppedTogetherError), agreement():
        raise KeyError
    with pytest.raises(ValueError if place.rank == 0 else StoppedTogetherError):
        on_first(lambda: int("not a number"))
    assert on_first(lambda: place.rank + 7) == 7

    def make() -> bool:
        """Whether another rank of this host was here before."""
        was_there = (folder / "made").exists()
        (folder / "made").touch()
        return was_there

    assert first_on_each_host(make) is (place.local_rank > 0)


def talk(folder: Path) -> None:
    exchange_tensors()
    exchange_values()
    agree_on_errors(folder)


def lose_a_rank() -> None:
    if ranks().rank == 1:
        os._exit(3)
    largest(0)
