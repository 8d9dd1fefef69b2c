"""Starts ranks as torchrun would, and commands, forked from a process that has imported everything once."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from multiprocessing.context import ForkServerContext, ForkServerProcess
from pathlib import Path

import torch
from torch.distributed.run import main as torchrun

from reid_gl.cli.main import main
from reid_gl.distributed.ranks import join_ranks
from reid_gl.experiment.comparing import jobs
from reid_gl.process_signals import end_with_parent

ROOT = Path(__file__).parents[2]
LIMIT = 120.0
"""Seconds after which ranks that wait for one another are ended."""
PRELOADED = [
    "timm",
    "tests.distributed.run_ranks",
    "tests.training.rank_steps",
    "tests.experiment.rank_training",
    "reid_gl.cli.cross_domain",
    "reid_gl.cli.train",
    "reid_gl.losses.metric_learning",
]


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def rank_environment(rank: int, world_size: int, port: int) -> dict[str, str]:
    """What torchrun sets on the only host of a job."""
    places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size, "LOCAL_WORLD_SIZE": world_size}
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    return {**{name: str(value) for name, value in places.items()}, **address}


def _nothing() -> None:
    """Nothing comes before joining."""


def run_ranks(
    work: Callable[..., object],
    world_size: int,
    *arguments: object,
    before: Callable[[], None] = _nothing,
    joins: bool = True,
) -> list[tuple[int, str]]:
    """Call a function on every rank, another one before they join; exit code and stderr of each.

    Without `joins`, the function itself makes the ranks join, as the command does.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, str(rank)) for rank in range(world_size)]
        started = [
            forkserver().Process(
                target=_be_rank,
                args=(work, arguments, before, joins, rank_environment(rank, world_size, port), file),
            )
            for rank, file in enumerate(files)
        ]
        for process in started:
            process.start()
        try:
            for process in started:
                process.join(LIMIT)
        finally:
            for process in started:
                process.kill()
                process.join()
        codes = [-1 if process.exitcode is None else process.exitcode for process in started]
        return [(code, file.read_text()) for code, file in zip(codes, files, strict=True)]


def check_ranks(work: Callable[..., object], world_size: int, *arguments: object) -> None:
    """run_ranks for work that must succeed everywhere."""
    found = run_ranks(work, world_size, *arguments)
    assert [code for code, _ in found] == [0] * world_size, "\n".join(errors for _, errors in found)


@functools.cache
def forkserver() -> ForkServerContext:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _be_rank(
    work: Callable[..., object],
    arguments: tuple[object, ...],
    before: Callable[[], None],
    joins: bool,
    environment: dict[str, str],
    errors: Path,
) -> None:
    end_with_parent()  # a rank whose peers are gone would wait for half an hour
    os.environ.update(environment)
    _write_errors_to(errors)
    before()
    with join_ranks() if joins else nullcontext():
        work(*arguments)


def start_command(words: Sequence[object], errors: Path) -> ForkServerProcess:
    """Start a command as a process in a group of its own; its stderr goes to a file."""
    process = forkserver().Process(target=_be_command, args=([str(word) for word in words], errors))
    process.start()
    return process


def _be_command(words: Sequence[str], errors: Path) -> None:
    end_with_parent()
    os.setsid()
    multiprocessing.set_start_method("fork", force=True)  # as in a shell: workers inherit signal handlers
    jobs.START_METHOD = "fork"  # type: ignore[misc] # possible here, where nothing has been computed
    _write_errors_to(errors)
    run_command(words)


def start_torchrun(words: Sequence[str], *options: str, output: Path, errors: Path) -> ForkServerProcess:
    """Start torchrun with two ranks of `train`, in a group of their own; what they write goes to files."""
    train = [str(ROOT / "tools" / "train.py"), *words]
    forked = ["--start-method", "fork", "--run-path"]  # the ranks, too, so that nothing is imported again
    words = ["--standalone", "--nproc-per-node", "2", *forked, *options, *train]
    process = forkserver().Process(target=_be_torchrun, args=(words, output, errors))
    process.start()
    return process


def _be_torchrun(words: Sequence[str], output: Path, errors: Path) -> None:
    end_with_parent()
    os.setsid()
    os.environ["OMP_NUM_THREADS"] = "1"
    with output.open("w") as file:
        os.dup2(file.fileno(), 1)
    _write_errors_to(errors)
    torchrun(list(words))


def start_launcher(words: Sequence[str], errors: Path) -> ForkServerProcess:
    """Start two ranks of a command as torchrun does; they have to notice themselves that it has ended."""
    process = forkserver().Process(target=_be_launcher, args=(words, free_port(), errors))
    process.start()
    return process


def _be_launcher(words: Sequence[str], port: int, errors: Path) -> None:
    end_with_parent()
    _write_errors_to(errors)
    os.environ["TORCHELASTIC_RUN_ID"] = "none"  # torchrun's own default
    for rank in range(2):
        if os.fork() == 0:
            os.environ.update(rank_environment(rank, 2, port))
            run_command(words)
    signal.pause()


def run_command(words: Sequence[str]) -> None:
    """Run a command to the end of this process."""
    sys.exit(main(list(words)))


def _write_errors_to(path: Path) -> None:
    torch.set_num_threads(1)
    with path.open("w") as file:
        os.dup2(file.fileno(), 2)
