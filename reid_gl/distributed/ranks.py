"""Joins the processes that torchrun started; without torchrun, a process is rank 0 of 1."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""What torchrun sets for every process that it starts."""
TIMEOUT = timedelta(minutes=30)
"""How long a rank waits for the others, for example while one of them decodes a data set."""
LOST = ("Connection closed", "Connection reset", "Broken pipe", "Timed out", "Socket Timeout", "NCCL")
"""What torch's messages say if another rank has gone."""


class LostRankError(ConnectionError):
    """Another rank ended or cannot be reached, so this one cannot go on."""


@dataclass(frozen=True)
class Ranks:
    """The place of this process among those that train together.

    Attributes:
        rank: number of this process, from 0.
        world_size: number of processes.
        local_rank: number of this process on its host, from 0.
        local_world_size: number of processes on this host.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1


ALONE = Ranks()
_joined: list[Ranks] = []  # empty, or the one place that join_ranks gave this process


def ranks() -> Ranks:
    """This process's place; rank 0 of 1 outside join_ranks, even if other code has made a process group."""
    return _joined[0] if _joined else ALONE


def is_joined() -> bool:
    """Whether join_ranks connected this process, be it with itself only."""
    return bool(_joined)


def is_first() -> bool:
    """Whether this process is the one that writes and reports: rank 0."""
    return ranks().rank == 0


def launched_ranks() -> Ranks | None:
    """The place that torchrun's variables name, before anything is connected; None without torchrun."""
    if not all(os.environ.get(name) for name in VARIABLES):
        return None
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    return Ranks(*(int(os.environ[name]) for name in names))


def num_restarts() -> int:
    """How often torchrun has restarted the processes after one of them ended (--max-restarts)."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))


@contextlib.contextmanager
def join_ranks(device_type: str = "cpu") -> Iterator[Ranks]:
    """Connect the processes that torchrun started while the block runs; without torchrun, do nothing.

    Tensors on the CPU go through gloo, those on CUDA devices through NCCL.

    Args:
        device_type: "cpu" or "cuda", the same on every rank.

    Yields:
        The place of this process.

    Raises:
        LostRankError: the ranks cannot be connected, or another one ends while the block runs.
        ValueError: the ranks have different devices, or a kind of device that cannot be connected.
    """
    place = launched_ranks()
    if place is None:
        yield ALONE
        return
    try:
        _connect(place, device_type)
        _joined.append(place)
        yield place
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not any(words in str(error) for words in LOST):
            raise
        raise LostRankError(_explain(place, error)) from error
    finally:
        _joined.clear()
        if dist.is_initialized():  # a process that ends without this often aborts
            dist.destroy_process_group()


def _connect(place: Ranks, device_type: str) -> None:
    if device_type not in ("cpu", "cuda"):
        raise ValueError(
            f"several ranks train on cpu or cuda, not on {device_type}: set MODEL.DEVICE, or start one process"
        )
    if device_type == "cuda" and place.local_rank >= (count := torch.cuda.device_count()):
        raise ValueError(
            f"{place.local_world_size} ranks on this host need as many CUDA devices and it has {count}: lower "
            "--nproc-per-node"
        )
    store, _, _ = next(iter(dist.rendezvous("env://", timeout=TIMEOUT)))
    store.set(f"reid_gl/device/{place.rank}", device_type)
    devices = [store.get(f"reid_gl/device/{rank}").decode() for rank in range(place.world_size)]
    if len(set(devices)) > 1:  # found before a group is made, which would wait for the other kind for ever
        raise ValueError(
            f"the ranks have different devices ({', '.join(devices)}, by rank): set MODEL.DEVICE to one that "
            "all hosts have"
        )
    if device_type == "cuda":
        torch.cuda.set_device(place.local_rank)
    dist.init_process_group(
        backend="cpu:gloo,cuda:nccl" if device_type == "cuda" else "gloo",
        store=dist.PrefixStore("reid_gl/group", store),
        rank=place.rank,
        world_size=place.world_size,
        timeout=TIMEOUT,
    )


def _explain(place: Ranks, error: RuntimeError) -> str:
    reason = str(error).strip().splitlines()[0]
    if not dist.is_initialized():
        address = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
        return (
            f"rank {place.rank} of {place.world_size} cannot join the others at {address} ({reason}): use "
            "torchrun --standalone on one host, or a free port with --rdzv-endpoint <host>:<port>"
        )
    return (
        f"rank {place.rank} of {place.world_size} lost another rank, whose own message says why ({reason}); "
        "the last checkpoint is intact: continue with --resume"
    )
