"""The cost of the losses: their share of a training step, and Group Loss by number of identities.

    python benchmarks/losses.py

First, every loss runs on a batch of 64 with 751 identities, and its time is compared with one ResNet-50
training step at 256 x 128. Then cross-entropy, both forms of Group Loss (the paper's and leave-one-out), and
a plain computation of the paper's form (replicator_dynamics and autograd) run on 128 images with 1,000,
10,000 and 100,000 identities. They take turns for the time; memory is measured in a separate process each.
Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from machine import extra_megabytes, print_header
from torch import Tensor

from reid_gl.device import choose_device, choose_precision
from reid_gl.losses import (
    LOSSES,
    LossTerm,
    WeightedSum,
    choose_anchors,
    group_loss,
    make_loss,
    replicator_dynamics,
)
from reid_gl.models import NetSettings, ReidNet
from reid_gl.similarity import pearson_similarity
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.step import StepSettings, train_step

P, K, NUM_IDENTITIES = 16, 4, 751
LARGE_P, LARGE_K, WIDTH, STEPS, TEMPERATURE = 16, 8, 2048, 3, 10.0
DEVICE = choose_device("auto")


def main() -> None:
    if len(sys.argv) > 1:
        name, num_identities, anchors = sys.argv[1:]
        print(peak_megabytes(name, int(num_identities), int(anchors)))
        return
    print_header("Losses")
    print_shares()
    print_identities()


def seconds(call: Callable[[], object], repeats: int) -> float:
    """Return the median time of the calls, after a warm-up call."""
    times = []
    for _ in range(repeats + 1):
        synchronize()
        start = time.perf_counter()
        call()
        synchronize()
        times.append(time.perf_counter() - start)
    return statistics.median(times[1:])


def synchronize() -> None:
    if DEVICE.type == "cuda":
        torch.cuda.synchronize()


def print_shares() -> None:
    step = step_seconds()
    print(f"## Share of a ResNet-50 training step, {P} x {K} images of 256 x 128, C = {NUM_IDENTITIES}\n")
    print(f"The whole step with Group Loss and cross-entropy takes {1000 * step:.0f} ms.\n")
    print("| loss | forward and backward (ms) | share of a step |\n|---|---|---|")
    labels = torch.arange(P, device=DEVICE).repeat_interleave(K)
    embeddings = torch.randn(P * K, WIDTH, device=DEVICE).relu_().requires_grad_()
    logits = torch.randn(P * K, NUM_IDENTITIES, device=DEVICE).requires_grad_()
    for name in LOSSES:
        loss = make_loss(name, num_classes=NUM_IDENTITIES, num_features=WIDTH).to(DEVICE)
        inputs = [embeddings, logits, *loss.parameters()]

        def call(loss: torch.nn.Module = loss, inputs: list[Tensor] = inputs) -> None:
            torch.autograd.grad(loss(embeddings, labels, logits=logits), inputs, allow_unused=True)

        taken = seconds(call, 20)
        print(f"| {name} | {1000 * taken:.2f} | {taken / step:.2%} |", flush=True)
    print()


def step_seconds() -> float:
    net = ReidNet(NetSettings("resnet50", NUM_IDENTITIES)).to(DEVICE).train()
    net = net.to(memory_format=torch.channels_last)
    terms = [
        LossTerm(name, make_loss(name, num_classes=1, num_features=1)) for name in ("group", "cross_entropy")
    ]
    losses = WeightedSum(terms)
    optimizer = make_optimizer(net, losses)
    settings = StepSettings(choose_precision("auto", DEVICE))
    images = torch.randn(P * K, 3, 256, 128, device=DEVICE).contiguous(memory_format=torch.channels_last)
    labels = torch.arange(P, device=DEVICE).repeat_interleave(K)
    scaler = torch.amp.GradScaler(DEVICE.type, enabled=settings.dtype == torch.float16)

    def step() -> None:
        generator = torch.Generator().manual_seed(0)
        train_step(
            net, losses, optimizer, images, labels, settings=settings, scaler=scaler, generator=generator
        )

    return seconds(step, 5)


def large_batch(num_identities: int, num_anchors: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    labels = (torch.arange(LARGE_P) * (num_identities // LARGE_P)).repeat_interleave(LARGE_K)
    anchors = choose_anchors(labels, num_anchors, choice="first")
    embeddings = torch.randn(len(labels), WIDTH, generator=generator)
    logits = torch.randn(len(labels), num_identities, generator=generator)
    moved = [tensor.to(DEVICE) for tensor in (embeddings, labels, logits, anchors)]
    return moved[0].requires_grad_(), moved[1], moved[2].requires_grad_(), moved[3]


def cross_entropy(embeddings: Tensor, labels: Tensor, logits: Tensor, anchors: Tensor) -> Tensor:
    return F.cross_entropy(logits, labels) + 0.0 * embeddings.sum()


def bounded(embeddings: Tensor, labels: Tensor, logits: Tensor, anchors: Tensor) -> Tensor:
    settings = {"num_steps": STEPS, "temperature": TEMPERATURE}
    return group_loss(embeddings, labels, logits=logits, anchors=anchors, **settings)


def leave_one_out(embeddings: Tensor, labels: Tensor, logits: Tensor, anchors: Tensor) -> Tensor:
    """The form that the configs use: every row is predicted from all others; `anchors` is ignored."""
    return group_loss(
        embeddings,
        labels,
        logits=logits,
        anchors="others",
        num_steps=1,
        temperature=TEMPERATURE,
        similarity_scale=10.0,
        self_similarity=False,
        positives="geometric",
    )


def plain(embeddings: Tensor, labels: Tensor, logits: Tensor, anchors: Tensor) -> Tensor:
    similarities = pearson_similarity(embeddings).relu()
    prior = F.log_softmax(logits / TEMPERATURE, dim=1)
    truth = F.one_hot(labels, logits.shape[1]).to(logits.dtype)
    beliefs = replicator_dynamics(similarities, prior, truth, anchors, STEPS)
    return F.nll_loss(beliefs[~anchors], labels[~anchors])


CALLS = {
    "cross-entropy": cross_entropy,
    "Group Loss": bounded,
    "leave-one-out": leave_one_out,
    "plain": plain,
}


def run(name: str, batch: tuple[Tensor, Tensor, Tensor, Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad(CALLS[name](*batch), [batch[0], batch[2]])


def peak_megabytes(name: str, num_identities: int, num_anchors: int) -> float:
    """Return the peak memory of value and gradient computation, without inputs and logits, in MiB."""
    run(name, large_batch(LARGE_P, num_anchors))  # warm-up: loads and compiles
    batch = large_batch(num_identities, num_anchors)
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run(name, batch)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    return extra_megabytes(lambda: run(name, batch))


def print_identities() -> None:
    print(
        f"## Group Loss and the number of identities: N = {LARGE_P * LARGE_K}, D = {WIDTH}, {STEPS} steps\n"
    )
    print("Ratios are to cross-entropy on the same logits; similarities are part of Group Loss.\n")
    for num_anchors in (2, 0):
        print(f"{num_anchors} anchors in {LARGE_K} images of an identity:\n")
        print("| C | | time (ms) | ratio | peak extra memory (MiB) | ratio |\n|---|---|---|---|---|---|")
        for num_identities in (1_000, 10_000, 100_000):
            batch = large_batch(num_identities, num_anchors)
            times: dict[str, list[float]] = {name: [] for name in CALLS}
            for _ in range(5):  # take turns, so that a slow minute of the machine affects all of them
                for name, taken in times.items():
                    taken.append(seconds(lambda name=name, batch=batch: run(name, batch), 3))
            memory = {name: measure_memory(name, num_identities, num_anchors) for name in CALLS}
            for name, taken in times.items():
                base = statistics.median(times["cross-entropy"])
                time_ratio = statistics.median(taken) / base
                memory_ratio = memory[name] / memory["cross-entropy"]
                print(
                    f"| {num_identities:,} | {name} | {1000 * statistics.median(taken):.1f} "
                    f"| {time_ratio:.1f} | {memory[name]:.0f} | {memory_ratio:.1f} |",
                    flush=True,
                )
        print()


def measure_memory(name: str, num_identities: int, num_anchors: int) -> float:
    command = [sys.executable, __file__, name, str(num_identities), str(num_anchors)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


if __name__ == "__main__":
    main()
