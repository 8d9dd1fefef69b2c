"""Optimisers with separate learning rates for the backbone and for the parameters of each loss."""

from __future__ import annotations

import torch

from reid_gl.losses import WeightedSum
from reid_gl.models.reid_net import ReidNet

HEAD = 1
"""Index of the head's parameter group; the order is backbone, head, then the losses with parameters."""

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
    """Build an optimiser over the parameters of the network and of the losses.

    Args:
        net: the network; its backbone forms a separate group.
        losses: each term with parameters forms a group with its lr_factor and without weight decay. These
            parameters are points in the embedding space, and decay would pull them to the origin.
        name: "adam", "adamw", "sgd" or "radam".
        lr: base rate; each group stores its own as "base_lr".
        weight_decay: L2 penalty; decoupled for "adamw".
        momentum: for "sgd".
        backbone_lr_factor: the backbone's rate divided by the base rate.

    Raises:
        ValueError: the name is unknown, or a number is out of range.
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
        settings["fused"] = True  # one pass over the parameters; the same values up to rounding
    optimizer: torch.optim.Optimizer = OPTIMIZERS[name](groups, **settings)
    return optimizer


def set_learning_rate(optimizer: torch.optim.Optimizer, factor: float) -> float:
    """Multiply every group's base rate by factor; return the rate of the head."""
    for group in optimizer.param_groups:
        group["lr"] = group["base_lr"] * factor
    return float(optimizer.param_groups[HEAD]["lr"])
