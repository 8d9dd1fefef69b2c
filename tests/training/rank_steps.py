"""One step of every loss on a batch dealt over the ranks; test_parallel compares it with a single process."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from reid_gl.config import load_experiment
from reid_gl.distributed.place import Ranks
from reid_gl.distributed.ranks import ranks
from reid_gl.experiment.make_network import make_losses
from reid_gl.losses import LOSSES
from reid_gl.models import NetSettings, ReidNet
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.parallel import ParallelBackbone, share_statistics
from reid_gl.training.step import StepSettings, train_step

PEOPLE, IMAGES, WIDTH = 8, 4, 24
FORMS_OF_GROUP_LOSS: dict[str, dict[str, str]] = {
    "the paper": {"SELF_SIMILARITY": "False", "NUM_STEPS": "3", "TEMPERATURE": "1."},
    "the authors' code": {"ANCHOR_CHOICE": "first", "ANCHORS_PER_CLASS": "1"},
    "the batch": {"CLASS_SUBSET": "batch"},
    "shifted cosines": {"SIMILARITY": "cosine", "NEGATIVES": "shift"},
    "sharp similarities": {"SIMILARITY_SCALE": "10.", "SELF_SIMILARITY": "False"},
    "others": {
        "ANCHORS_PER_CLASS": "others",
        "SIMILARITY_SCALE": "10.",
        "SELF_SIMILARITY": "False",
        "NUM_STEPS": "1",
        "POSITIVES": "geometric",
    },
}


def loss_words(*names: str, **settings: str) -> list[str]:
    """Overrides for losses of weight 1, the first of them with settings."""
    words = ["LOSS.NAMES", f"[{', '.join(names)}]", "LOSS.WEIGHTS", str([1.0] * len(names))]
    return words + [word for key in settings for word in (f"LOSS.{names[0].upper()}.{key}", settings[key])]


CASES: dict[str, list[str]] = {
    **{name: loss_words(name) for name in LOSSES},
    **{f"group of {form}": loss_words("group", **keys) for form, keys in FORMS_OF_GROUP_LOSS.items()},
    "all": loss_words(*LOSSES),
}
"""Configurations by name; Group Loss draws its anchors at random unless others vote."""

Result = dict[str, dict[str, Tensor]]


def whole_batch() -> tuple[Tensor, Tensor]:
    labels = torch.arange(PEOPLE * IMAGES) // IMAGES
    generator = torch.Generator().manual_seed(0)
    people = torch.randn(PEOPLE, 3, 16, 8, generator=generator, dtype=torch.float64)
    noise = torch.randn(len(labels), 3, 16, 8, generator=generator, dtype=torch.float64)
    return 0.4 * people[labels] + noise, labels


def make_net(*, normalizes: bool = True) -> ReidNet:
    layers = [
        nn.Conv2d(3, 8, 4, stride=4, bias=False),
        nn.BatchNorm2d(8) if normalizes else nn.Identity(),
        nn.ReLU(),
        nn.Conv2d(8, WIDTH, 2, bias=False),
        nn.BatchNorm2d(WIDTH) if normalizes else nn.Identity(),
        nn.ReLU(),
    ]
    net = ReidNet(NetSettings("small", PEOPLE), nn.Sequential(*layers))
    net.pooling = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())  # ours gives float32
    return net


def take_steps(
    words: list[str],
    settings: StepSettings,
    *,
    part: Ranks | None = None,
    overlaps: bool = True,
    normalizes: bool = True,
    num_steps: int = 1,
) -> dict[str, Tensor]:
    """Terms of the first step, gradients and statistics after the last one.

    Args:
        words: the configuration of the losses.
        settings: of the steps.
        part: whose rows of the batch to train on; None for those of this rank.
        overlaps: whether DDP averages the gradients.
        normalizes: whether the backbone has batch normalisation.
        num_steps: number of steps.
    """
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = make_net(normalizes=normalizes).double().train()
        losses = make_losses(load_experiment(None, words), PEOPLE, WIDTH).double()
    if settings.sync_batch_norm:
        share_statistics(net.backbone, "cpu")
    backbone = ParallelBackbone(net, overlaps=overlaps)
    optimizer = make_optimizer(net, losses, name="sgd", lr=1e-3)
    place = part or ranks()
    images, labels = (rows.chunk(place.world_size)[place.rank] for rows in whole_batch())
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
        found = found or {name: torch.tensor(value, dtype=torch.float64) for name, value in values.items()}
    for name, module in {"net": net, "losses": losses}.items():
        gradients = {key: p.grad for key, p in module.named_parameters() if p.grad is not None}
        found |= {f"gradient of {name}.{key}": gradient.clone() for key, gradient in gradients.items()}
    return found | {f"buffer {name}": buffer.clone() for name, buffer in net.named_buffers()}


def every_case() -> Result:
    """Each loss, one step; all of them together, two; and the batch in parts, which then must not differ."""
    found = {name: take_steps(words, StepSettings()) for name, words in CASES.items()}
    found["two steps"] = take_steps(CASES["all"], StepSettings(), num_steps=2)
    found["not overlapped"] = take_steps(CASES["all"], StepSettings(), overlaps=False)
    num_images = PEOPLE * IMAGES // ranks().world_size
    for name, micro_batch in {"whole": 0, "parts": num_images // 4}.items():
        found[name] = take_steps(CASES["all"], StepSettings(micro_batch=micro_batch), normalizes=False)
    return found


OWN = StepSettings(gather=False, sync_batch_norm=False)
"""Losses and statistics of each rank's own images."""


def write_every_case(folder: Path) -> None:
    """The work of a rank in the proof."""
    found = every_case()
    for overlaps in (False, True):
        found[f"own, overlaps {overlaps}"] = take_steps(CASES["all"], OWN, overlaps=overlaps)
    torch.save(found, folder / f"rank{ranks().rank}.pt")
