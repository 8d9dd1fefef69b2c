"""The rank of a process that torchrun started, from environment variables alone; needs no torch."""

from __future__ import annotations

import os
from dataclasses import dataclass

VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
"""Variables that torchrun sets for every process that it starts."""


class StoppedTogetherError(Exception):
    """This rank stops because of an error that rank 0 reports."""


class OtherRankError(ValueError):
    """Rank 0 stops because of another rank's error, which the message quotes."""


class LostRankError(ConnectionError):
    """Another rank ended or cannot be reached, so this one cannot continue."""


@dataclass(frozen=True)
class Ranks:
    """Rank and number of the processes that train together.

    Attributes:
        rank: number of the process, from 0.
        world_size: number of processes.
        local_rank: number of the process on its host, from 0.
        local_world_size: number of processes on its host.
    """

    rank: int = 0
    world_size: int = 1
    local_rank: int = 0
    local_world_size: int = 1


def launched_ranks() -> Ranks | None:
    """Read the place from torchrun's variables, before anything is connected; None without torchrun."""
    if not all(os.environ.get(name) for name in VARIABLES):
        return None
    names = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")
    return Ranks(*(int(os.environ[name]) for name in names))


def is_started_by_torchrun() -> bool:
    """Return whether torchrun itself started this process, not another program that sets the variables."""
    return "TORCHELASTIC_RUN_ID" in os.environ


def num_restarts() -> int:
    """Return how often torchrun has restarted the processes after one of them ended (--max-restarts)."""
    return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))
