"""Optimisers with a rate of their own for the backbone."""

from __future__ import annotations

import torch
from torch import nn

from reid_gl.models.reid_net import ReidNet

OPTIMIZERS = {
    "adam": torch.optim.Adam,
    "adamw": torch.optim.AdamW,
    "sgd": torch.optim.SGD,
    "radam": torch.optim.RAdam,
}


def make_optimizer(
    net: ReidNet,
    losses: nn.Module,
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
        losses: its parameters, if any, learn at the full rate.
        name: "adam", "adamw", "sgd" or "radam".
        lr: base rate; each group keeps its own as "base_lr".
        weight_decay: L2 term, decoupled for "adamw".
        momentum: for "sgd".
        backbone_lr_factor: share of the rate that the backbone learns at.

    Raises:
        ValueError: unknown name, or a rate that is not positive.
    """
    if name not in OPTIMIZERS:
        raise ValueError(f"unknown optimiser {name!r}: expected one of {', '.join(OPTIMIZERS)}")
    if lr <= 0 or backbone_lr_factor <= 0:
        raise ValueError(f"rates must be positive, got {lr} and backbone factor {backbone_lr_factor}")
    in_backbone = {id(parameter) for parameter in net.backbone.parameters()}
    everything = [p for p in (*net.parameters(), *losses.parameters()) if p.requires_grad]
    groups = [
        {"params": [p for p in everything if id(p) in in_backbone], "base_lr": lr * backbone_lr_factor},
        {"params": [p for p in everything if id(p) not in in_backbone], "base_lr": lr},
    ]
    settings: dict[str, object] = {"lr": lr, "weight_decay": weight_decay}
    if name == "sgd":
        settings["momentum"] = momentum
    if name != "radam":
        settings["fused"] = True  # one pass over the parameters; the same numbers to rounding
    optimizer: torch.optim.Optimizer = OPTIMIZERS[name](groups, **settings)
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Scale every group's base rate; returns the last group's, the head's."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
    return float(optimizer.param_groups[-1]["lr"])
