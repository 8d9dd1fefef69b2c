"""Joins the processes that torchrun started; without torchrun, a process is rank 0 of 1."""

from __future__ import annotations

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from datetime import timedelta

import torch
import torch.distributed as dist
from torch.distributed import PrefixStore  # type: ignore[attr-defined]
from torch.distributed.rendezvous import rendezvous

from reid_gl.distributed.place import (
    LostRankError,
    Ranks,
    is_started_by_torchrun,
    launched_ranks,
    num_restarts,
)

TIMEOUT = timedelta(minutes=30)
"""How long a rank waits for the others, for example while one of them decodes a data set."""
PLACE_IN_TORCH = re.compile(r"^\[[^\]]*\]:? *")
LOST = ("Connection closed", "Connection reset", "Connection refused", "Broken pipe", "imed out", "imeout")
"""Parts of torch's messages if another rank is gone."""
ALONE = Ranks()
_joined: list[Ranks] = []  # empty, or the place that join_ranks gave this process
_torchrun: list[int] = []  # empty, or the process that started this one


def ranks() -> Ranks:
    """Return this process's place; rank 0 of 1 outside join_ranks, even if there is a process group."""
    return _joined[0] if _joined else ALONE


def is_joined() -> bool:
    """Return whether join_ranks connected this process, even if there is only one."""
    return bool(_joined)


def is_first() -> bool:
    """Return whether this process is the one that writes and reports: rank 0."""
    return ranks().rank == 0


def launcher_signal() -> int:
    """Return SIGTERM if torchrun has ended without ending this process, otherwise 0.

    A torchrun that is killed leaves its ranks, which would train to the end with nobody to stop them.
    """
    return int(signal.SIGTERM) if _torchrun and os.getppid() != _torchrun[0] else 0


@contextlib.contextmanager
def join_ranks() -> Iterator[Ranks]:
    """Connect the processes that torchrun started while the block runs; without torchrun, do nothing.

    Tensors on the CPU go through gloo, those on CUDA devices through NCCL.

    Yields:
        The place of this process.

    Raises:
        LostRankError: the ranks cannot be connected, or another one ends while the block runs.
        ValueError: some ranks have CUDA devices and others do not.
    """
    place = launched_ranks()
    if place is None:
        yield ALONE
        return
    if is_started_by_torchrun():
        _torchrun.append(os.getppid())
    try:
        _connect(place)
        _joined.append(place)
        yield place
    except RuntimeError as error:
        if not isinstance(error, dist.DistError) and not any(words in str(error) for words in LOST):
            raise
        raise LostRankError(_explain(place, error)) from error
    finally:
        _joined.clear()
        _torchrun.clear()
        if dist.is_initialized():  # without this, a process often aborts when it ends
            dist.destroy_process_group()


def _connect(place: Ranks) -> None:
    has_cuda = torch.cuda.is_available() and dist.is_nccl_available()
    backend = "cpu:gloo,cuda:nccl" if has_cuda else "gloo"
    shared, _, _ = next(iter(rendezvous("env://", timeout=TIMEOUT)))
    # torchrun's store outlives restarted ranks and still has the addresses of the old ones
    store = PrefixStore(f"reid_gl/start {num_restarts()}", shared)
    store.set(f"backend/{place.rank}", backend)
    backends = [store.get(f"backend/{rank}").decode() for rank in range(place.world_size)]
    if len(set(backends)) > 1:  # checked before a group is made, in which ranks would wait for one another
        store.set(f"has read/{place.rank}", "")
        if place.rank == 0:  # the store may end with rank 0, which therefore waits
            store.wait([f"has read/{rank}" for rank in range(place.world_size)])
        raise ValueError(
            f"some ranks have CUDA and others do not (by rank: {'; '.join(backends)}): give all hosts the "
            "same, or hide the devices with CUDA_VISIBLE_DEVICES= on every host"
        )
    if has_cuda and place.local_rank < torch.cuda.device_count():
        torch.cuda.set_device(place.local_rank)
    dist.init_process_group(
        backend=backend,
        store=store,
        rank=place.rank,
        world_size=place.world_size,
        timeout=TIMEOUT,
    )


def _explain(place: Ranks, error: RuntimeError) -> str:
    reason = PLACE_IN_TORCH.sub("", str(error).strip()).splitlines()[0].partition(". ")[0]
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
