"""One optimiser step on one batch of P x K images."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reid_gl.losses import WeightedSum
from reid_gl.losses.pairs import NonFiniteEmbeddingsError
from reid_gl.models.reid_net import ReidNet
from reid_gl.records import ReidOutput


class NonFiniteError(ArithmeticError):
    """A loss term or the gradient is NaN or infinite; nothing was changed by the step."""


@dataclass(frozen=True)
class StepSettings:
    """How a step computes.

    Attributes:
        dtype: number format of the backbone's layers; the losses are always float32.
        micro_batch: images in the backbone at once; 0 for the whole batch.
        clip_norm: largest length of the gradient; 0 for no limit.
    """

    dtype: torch.dtype = torch.float32
    micro_batch: int = 0
    clip_norm: float = 0.0

    def __post_init__(self) -> None:
        if self.micro_batch < 0:
            raise ValueError(
                f"SOLVER.MICRO_BATCH must be at least 0 (the whole batch), got {self.micro_batch}"
            )
        if not self.clip_norm >= 0:  # it would turn the gradient round
            raise ValueError(f"SOLVER.CLIP_NORM must be at least 0 (no limit), got {self.clip_norm}")


def train_step(
    net: ReidNet,
    losses: WeightedSum,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    *,
    settings: StepSettings,
    scaler: torch.amp.GradScaler,
    generator: torch.Generator,
) -> dict[str, float]:
    """Forward, backward, clip and update.

    With a micro-batch the backbone sees the images in parts, twice: first without a graph, then, once
    the losses of the *whole* batch have given every pooled feature its gradient, again with one. Losses
    and neck are the same as without parts; the backbone's batch normalisation uses each part's own
    statistics, and counts them once.

    Args:
        net: in training mode, on the device of the images.
        losses: summed on the network's output.
        optimizer: over the parameters of both.
        images: (N, 3, H, W) float32, normalised.
        labels: (N,) int64.
        settings: number format, parts and clipping.
        scaler: enabled for float16 only.
        generator: CPU random state of the losses.

    Returns:
        Every term before weighting, "total", and "gradient_norm" before clipping.

    Raises:
        NonFiniteError: names the loss term, or the gradient, that is not finite.

    Source:
        Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup",
        RepL4NLP 2021 (gradients of a whole batch from parts).
    """
    optimizer.zero_grad(set_to_none=True)
    autocast = torch.autocast(
        images.device.type, dtype=settings.dtype, enabled=settings.dtype != torch.float32
    )
    whole = settings.micro_batch in (0, len(images)) or settings.micro_batch > len(images)
    if whole:
        with autocast:
            output = net(images)
        values = _backward(losses, output, labels, scaler, generator)
    else:
        values = _backward_in_parts(
            net, losses, images, labels, settings.micro_batch, autocast, scaler, generator
        )
    values["gradient_norm"] = _clip(net, losses, optimizer, scaler, settings.clip_norm)
    scaler.step(optimizer)
    scaler.update()
    return values


def _backward(
    losses: WeightedSum,
    output: ReidOutput,
    labels: Tensor,
    scaler: torch.amp.GradScaler,
    generator: torch.Generator,
) -> dict[str, float]:
    try:
        total, terms = losses(output, labels, generator=generator)
    except NonFiniteEmbeddingsError as error:
        raise NonFiniteError(str(error)) from None
    terms = {**terms, "total": total.detach()}
    values = dict(zip(terms, torch.stack(list(terms.values())).tolist(), strict=True))
    broken = [name for name, value in values.items() if not _is_finite(value)]
    if broken:
        raise NonFiniteError(f"loss term {broken[0]!r} is {values[broken[0]]}")
    scaler.scale(total).backward()
    return values


def _backward_in_parts(
    net: ReidNet,
    losses: WeightedSum,
    images: Tensor,
    labels: Tensor,
    size: int,
    autocast: torch.autocast,
    scaler: torch.amp.GradScaler,
    generator: torch.Generator,
) -> dict[str, float]:
    with torch.no_grad(), _statistics_not_counted(net.backbone), autocast:
        pooled = torch.cat([net.pooled(part) for part in images.split(size)])  # (N, D)
    pooled.requires_grad_()
    values = _backward(losses, net.head(pooled), labels, scaler, generator)
    assert pooled.grad is not None
    for part, gradient in zip(images.split(size), pooled.grad.split(size), strict=True):
        with autocast:
            again = net.pooled(part)
        if again.requires_grad:
            again.backward(gradient)
    return values


@contextlib.contextmanager
def _statistics_not_counted(backbone: nn.Module) -> Iterator[None]:
    """Batch normalisation works from its batch and leaves its running statistics alone."""
    norms = [layer for layer in backbone.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    momenta = [layer.momentum for layer in norms]
    for layer in norms:
        layer.momentum = 0.0
    try:
        yield
    finally:
        for layer, momentum in zip(norms, momenta, strict=True):
            layer.momentum = momentum


def _clip(
    net: ReidNet,
    losses: WeightedSum,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    clip_norm: float,
) -> float:
    scaler.unscale_(optimizer)
    parameters = [p for p in (*net.parameters(), *losses.parameters()) if p.grad is not None]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, clip_norm or float("inf"), foreach=True))
    if not _is_finite(norm) and not scaler.is_enabled():  # the scaler skips such a step and lowers its scale
        raise NonFiniteError(f"the gradient's norm is {norm}")
    return norm


def _is_finite(value: float) -> bool:
    return abs(value) != float("inf") and value == value
