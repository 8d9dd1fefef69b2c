"""Optimisers with a rate of their own for the backbone and for what each loss learns."""

from __future__ import annotations

import torch

from reid_gl.losses import WeightedSum
from reid_gl.models.reid_net import ReidNet

HEAD = 1
"""Place of the head's parameter group: backbone, head, then the losses that learn, in their order."""

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "radam": torch.optim.RAdam,
}


def make_optimizer(
    net: ReidNet,
    losses: WeightedSum,
    *,
    name: str = "adam",
    lr: float = 3.5e-4,
    weight_decay: float = 5e-4,
    momentum: float = 0.9,
    backbone_lr_factor: float = 1.0,
) -> torch.optim.Optimizer:
    """Build an optimiser over the network and whatever the losses learn.

    Args:
        net: its backbone forms a group of its own.
        losses: each term with parameters forms a group, at its lr_factor and without weight decay: these
            are points in the space of embeddings, which decay would draw to the origin.
        name: "adam", "adamw", "sgd" or "radam".
        lr: base rate; each group keeps its own as "base_lr".
        weight_decay: L2 term, decoupled for "adamw".
        momentum: for "sgd".
        backbone_lr_factor: share of the rate that the backbone learns at.

    Raises:
        ValueError: unknown name, or a number out of range.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"unknown optimiser {name!r}: expected one of {', '.join(OPTIMIZERS)}")
    if not (lr > 0 and backbone_lr_factor > 0):
        raise ValueError(f"rates must be positive, got {lr} and backbone factor {backbone_lr_factor}")
    if not weight_decay >= 0 or not 0 <= momentum < 1:
        raise ValueError(
            "SOLVER.WEIGHT_DECAY must be at least 0 and SOLVER.MOMENTUM lie in [0, 1), got "
            f"{weight_decay} and {momentum}"
        )
    in_backbone = {id(parameter) for parameter in net.backbone.parameters()}
    learned = [p for p in net.parameters() if p.requires_grad]
    groups: list[dict[str, object]] = [
        {"params": [p for p in learned if id(p) in in_backbone], "base_lr": lr * backbone_lr_factor},
        {"params": [p for p in learned if id(p) not in in_backbone], "base_lr": lr},
    ]
    for term in losses.terms:
        if vectors := [p for p in term.loss.parameters() if p.requires_grad]:
            groups.append({"params": vectors, "base_lr": lr * term.lr_factor, "weight_decay": 0.0})
    settings: dict[str, object] = {"lr": lr, "weight_decay": weight_decay}
    if name == "sgd":
        settings["momentum"] = momentum
    if name != "radam":
        settings["fused"] = True  # one pass over the parameters; the same numbers to rounding
    optimizer: torch.optim.Optimizer = OPTIMIZERS[name](groups, **settings)
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Scale every group's base rate; returns the head's."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
    return float(optimizer.param_groups[HEAD]["lr"])
