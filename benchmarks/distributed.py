"""What ranks cost and gain: the gather in a step, and two ranks beside one process with two threads.

    python benchmarks/distributed.py [--steps N] [--repeats N] [--device cpu|cuda]

Starts its own ranks, on the CPU with gloo or one on each GPU with NCCL. Every rank times the same steps
after a common start; the median of the repeats of rank 0 counts. Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from machine import print_header
from torch import Tensor

from reid_gl.device import choose_device
from reid_gl.distributed.ranks import is_first, join_ranks, ranks
from reid_gl.distributed.tensors import gather_rows, largest
from reid_gl.losses import CrossEntropyLoss, GroupLoss, LossTerm, WeightedSum
from reid_gl.models import NetSettings, ReidNet
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.parallel import ParallelBackbone, share_statistics
from reid_gl.training.step import StepSettings, train_step

SIZES = (64, 128, 256, 512, 1024)
WIDTH, PEOPLE = 2048, 1041  # ResNet-50's feature, MSMT17's training identities
BACKBONE, HEIGHT, IMAGE_WIDTH, P, K = "resnet18", 128, 64, 16, 4

Rows = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=5, help="timed steps of each repeat")
    parser.add_argument("--repeats", type=int, default=5, help="repeats of each case")
    parser.add_argument("--device", default="cpu", choices=("cpu", "cuda"))
    parser.add_argument("--world-sizes", type=int, nargs="*", default=(2, 4), help="of the first table")
    options = parser.parse_args()
    print_header("Ranks")
    times = (options.steps, options.repeats, options.device)
    print_gather({size: run(time_gather, size, 1, *times) for size in options.world_sizes})
    single, pair = (1, 2) if options.device == "cuda" else (2, 1)  # threads of each process
    print_scaling(
        {
            f"one process, {single} threads": run(time_steps, 0, single, *times, True),
            f"one rank, {single} threads": run(time_steps, 1, single, *times, True),
            f"two ranks, {pair} thread each": run(time_steps, 2, pair, *times, True),
            "the same, statistics of each rank": run(time_steps, 2, pair, *times, False),
        }
    )


def run(work: Callable[..., Rows], world_size: int, num_threads: int, *arguments: object) -> Rows:
    """What work returns on rank 0 of so many ranks; world size 0 is a process that torchrun did not start."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        started = [
            context.Process(
                target=be_rank, args=(work, arguments, (rank, world_size, port), num_threads, result)
            )
            for rank in range(max(1, world_size))
        ]
        for process in started:
            process.start()
        for process in started:
            process.join()
        rows: Rows = json.loads(result.read_text())
        return rows


def be_rank(
    work: Callable[..., Rows],
    arguments: tuple[object, ...],
    place: tuple[int, int, int],
    num_threads: int,
    result: Path,
) -> None:
    rank, world_size, port = place
    if world_size:
        numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world_size, "LOCAL_WORLD_SIZE": world_size}
        os.environ.update({name: str(value) for name, value in numbers.items()})
        os.environ.update({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)})
    torch.set_num_threads(num_threads)
    with join_ranks():
        rows = work(*arguments)
        if is_first():
            result.write_text(json.dumps(rows))


def timed(call: Callable[[], object], steps: int, repeats: int, device: torch.device) -> float:
    """Median seconds of one call, over repeats that all ranks start together."""
    seconds = []
    for repeat in range(repeats + 1):  # the first one warms up
        largest(repeat)
        start = time.perf_counter()
        for _ in range(steps):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append((time.perf_counter() - start) / steps)
    return statistics.median(seconds[1:])


def time_gather(steps: int, repeats: int, device_name: str) -> Rows:
    """Seconds for each N: the gather; neck, classifier and losses of own and of all rows."""
    device, rows = choose_device(device_name), Rows()
    torch.manual_seed(0)
    net = ReidNet(NetSettings("resnet50", PEOPLE)).to(device)
    losses = make_losses()
    for size in SIZES:
        labels = (torch.arange(size) // K % PEOPLE).to(device)
        pooled = torch.randn(size, WIDTH, device=device)
        own_size = size // ranks().world_size
        own = pooled[ranks().rank * own_size :][:own_size].clone().requires_grad_()

        def gather(own: Tensor = own) -> None:
            gather_rows(own).sum().backward()

        def differentiate(features: Tensor, labels: Tensor = labels) -> None:
            output = net.head(features.detach().requires_grad_())
            losses(output, labels[: len(features)], generator=torch.Generator().manual_seed(0))[0].backward()

        rows[f"gather {size}"] = timed(gather, steps, repeats, device)
        rows[f"own {size}"] = timed(lambda own=own: differentiate(own), steps, repeats, device)
        rows[f"all {size}"] = timed(lambda pooled=pooled: differentiate(pooled), steps, repeats, device)
    return rows


def time_steps(steps: int, repeats: int, device_name: str, sync_batch_norm: bool) -> Rows:
    """Seconds of a whole step on P x K images."""
    device = choose_device(device_name)
    torch.manual_seed(0)
    net = ReidNet(NetSettings(BACKBONE, PEOPLE)).to(device, memory_format=torch.channels_last).train()
    losses, settings = make_losses(), StepSettings(sync_batch_norm=sync_batch_norm)
    if sync_batch_norm:
        share_statistics(net.backbone, device.type)
    optimizer = make_optimizer(net, losses)
    count = P * K // ranks().world_size
    images = torch.randn(count, 3, HEIGHT, IMAGE_WIDTH, device=device)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = (torch.arange(P * K) // K).chunk(ranks().world_size)[ranks().rank].to(device)
    backbone = ParallelBackbone(net)

    def step() -> None:
        train_step(
            net,
            losses,
            optimizer,
            images,
            labels,
            settings=settings,
            scaler=torch.amp.GradScaler(device.type, enabled=False),
            generator=torch.Generator().manual_seed(0),
            backbone=backbone,
        )

    return {"step": timed(step, steps, repeats, device)}


def make_losses() -> WeightedSum:
    return WeightedSum([LossTerm("cross_entropy", CrossEntropyLoss()), LossTerm("group", GroupLoss())])


def print_gather(found: dict[int, Rows]) -> None:
    print("## The gather\n")
    print(f"Milliseconds of a step, N images of the whole batch, {WIDTH} features, {PEOPLE} identities.")
    print("Gather: forward and backward. Losses: neck, classifier, cross-entropy and Group Loss, forward and")
    print("backward, of a rank's own images and of all.\n")
    print("| ranks | N | gather | losses of own | losses of all |\n|---|---|---|---|---|")
    for world_size, rows in found.items():
        for size in SIZES:
            cells = [f"{1000 * rows[f'{kind} {size}']:.1f}" for kind in ("gather", "own", "all")]
            print(f"| {world_size} | {size} | {' | '.join(cells)} |", flush=True)


def print_scaling(found: dict[str, Rows]) -> None:
    print("\n## Whole steps\n")
    print(f"{BACKBONE}, {HEIGHT} x {IMAGE_WIDTH}, {P} x {K} images of noise, float32,")
    print("cross-entropy and Group Loss.\n")
    print("| | images/s | of the first |\n|---|---|---|")
    first = next(iter(found.values()))["step"]
    for name, rows in found.items():
        print(f"| {name} | {P * K / rows['step']:.1f} | {first / rows['step']:.2f} |", flush=True)


if __name__ == "__main__":
    main()
