"""One step of every loss on a batch dealt over the ranks; test_parallel compares it with a single process."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from reid_gl.config import build, load_config
from reid_gl.distributed.ranks import ranks
from reid_gl.losses import LOSSES
from reid_gl.models import NetSettings, ReidNet
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.parallel import ParallelBackbone, share_statistics
from reid_gl.training.step import StepSettings, train_step

PEOPLE, IMAGES, WIDTH = 8, 4, 24
OTHERS = [
    *("LOSS.GROUP.ANCHORS_PER_CLASS", "others", "LOSS.GROUP.SIMILARITY_SCALE", "10."),
    *(
        "LOSS.GROUP.SELF_SIMILARITY",
        "False",
        "LOSS.GROUP.NUM_STEPS",
        "1",
        "LOSS.GROUP.POSITIVES",
        "geometric",
    ),
]
CASES: dict[str, list[str]] = {
    **{name: ["LOSS.NAMES", f"[{name}]", "LOSS.WEIGHTS", "[1.0]"] for name in LOSSES},
    "group of the batch": [
        "LOSS.NAMES",
        "[group]",
        "LOSS.WEIGHTS",
        "[1.0]",
        "LOSS.GROUP.CLASS_SUBSET",
        "batch",
    ],
    "group of others": ["LOSS.NAMES", "[group]", "LOSS.WEIGHTS", "[1.0]", *OTHERS],
    "all": ["LOSS.NAMES", f"[{', '.join(LOSSES)}]", "LOSS.WEIGHTS", str([0.5] * len(LOSSES))],
}
"""Configurations by name; Group Loss draws its anchors at random unless others vote."""

Result = dict[str, dict[str, Tensor]]


def whole_batch() -> tuple[Tensor, Tensor]:
    labels = torch.arange(PEOPLE * IMAGES) // IMAGES
    generator = torch.Generator().manual_seed(0)
    people = torch.randn(PEOPLE, 3, 16, 8, generator=generator, dtype=torch.float64)
    noise = torch.randn(len(labels), 3, 16, 8, generator=generator, dtype=torch.float64)
    return 0.4 * people[labels] + noise, labels


def make_net() -> ReidNet:
    backbone = nn.Sequential(
        nn.Conv2d(3, 8, 4, stride=4, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, WIDTH, 2, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
    )
    net = ReidNet(NetSettings("small", PEOPLE), backbone)
    net.pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # ours gives float32
    return net


def take_steps(
    words: list[str], settings: StepSettings, *, overlaps: bool, num_steps: int = 2
) -> dict[str, Tensor]:
    """Terms of the first step, gradients and statistics after the last one; each rank on its rows."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = make_net().double().train()
        losses = build.build_losses(load_config(None, words), PEOPLE, WIDTH).double()
    if settings.sync_batch_norm:
        share_statistics(net.backbone, "cpu")
    backbone = ParallelBackbone(net, overlaps=overlaps)
    optimizer = make_optimizer(net, losses, name="sgd", lr=1e-3)
    images, labels = (rows.chunk(ranks().world_size)[ranks().rank] for rows in whole_batch())
    found: dict[str, Tensor] = {}
    for _ in range(num_steps):
        values = train_step(
            net,
            losses,
            optimizer,
            images,
            labels,
            settings=settings,
            scaler=torch.amp.GradScaler("cpu", enabled=False),
            generator=torch.Generator().manual_seed(3),
            backbone=backbone,
        )
        found = found or {name: torch.tensor(value) for name, value in values.items()}
    for part, module in {"net": net, "losses": losses}.items():
        gradients = {name: p.grad for name, p in module.named_parameters() if p.grad is not None}
        found |= {f"gradient of {part}.{name}": gradient.clone() for name, gradient in gradients.items()}
    return found | {f"buffer {name}": buffer.clone() for name, buffer in net.named_buffers()}


def every_case() -> Result:
    return {name: take_steps(words, StepSettings(), overlaps=True) for name, words in CASES.items()}


def write_every_case(folder: Path) -> None:
    """The work of a rank in the proof."""
    torch.save(every_case(), folder / f"rank{ranks().rank}.pt")
