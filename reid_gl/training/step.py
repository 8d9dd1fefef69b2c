"""One optimiser step on one batch of P x K images, split between the ranks if there are several.

With a micro-batch, the backbone processes the images in parts, twice: first without a graph; then, after the
losses of the *whole* batch have given every pooled feature its gradient, again with a graph. Losses and neck
are the same as without parts. The backbone's batch normalisation uses each part's own statistics, and updates
its running statistics once.

Source:
    Gao et al., "Scaling Deep Contrastive Learning Batch Size under Memory Limited Setup", RepL4NLP 2021
    (gradients of a whole batch from parts).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from reid_gl.distributed.tensors import average_in_place, gather_rows
from reid_gl.losses import WeightedSum
from reid_gl.losses.pairs import NonFiniteEmbeddingsError
from reid_gl.models.reid_net import ReidNet
from reid_gl.training.parallel import ParallelBackbone, average_gradients, average_statistics


class NonFiniteError(ArithmeticError):
    """A loss term or the gradient is NaN or infinite; nothing was changed by the step."""


@dataclass(frozen=True)
class StepSettings:
    """How a step computes.

    Attributes:
        dtype: number format of the backbone's layers; the losses are always float32.
        micro_batch: images in the backbone at once, on each rank; 0 for the whole batch.
        clip_norm: largest length of the gradient; 0 for no limit.
        gather: on several ranks, every loss compares the images of all ranks; False: those of its own rank.
        sync_batch_norm: on several ranks, batch normalisation takes its statistics from the images of all
            ranks; False: from those of its own rank.
    """

    dtype: torch.dtype = torch.float32
    micro_batch: int = 0
    clip_norm: float = 0.0
    gather: bool = True
    sync_batch_norm: bool = True

    def __post_init__(self) -> None:
        if self.micro_batch < 0:
            raise ValueError(
                f"SOLVER.MICRO_BATCH must be at least 0 (the whole batch), got {self.micro_batch}"
            )
        if not self.clip_norm >= 0:  # a negative norm would reverse the gradient
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
    backbone: ParallelBackbone | None = None,
) -> dict[str, float]:
    """Forward, backward, clip and update.

    Several ranks take the step together, each with its own images. The pooled features of all ranks are
    gathered, and every rank computes neck, classifier and losses of the whole batch; see settings.gather.

    Args:
        net: in training mode, on the device of the images.
        losses: summed on the network's output.
        optimizer: over the parameters of both.
        images: (N, 3, H, W) float32, normalised; N is the same on every rank.
        labels: (N,) int64.
        settings: number format, parts and clipping.
        scaler: enabled for float16 only.
        generator: CPU random state of the losses, the same on every rank.
        backbone: the network's backbone, if it averages its gradients during backward; None averages them
            after it.

    Returns:
        Every term before weighting, "total", and "gradient_norm" before clipping; the same on every rank.

    Raises:
        NonFiniteError: names the loss term, or the gradient, that is not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    if backbone is None:
        backbone = ParallelBackbone(net, overlaps=False)
    autocast = torch.autocast(
        images.device.type, dtype=settings.dtype, enabled=settings.dtype != torch.float32
    )
    if 0 < settings.micro_batch < len(images):
        values = _backward_in_parts(
            net, backbone, losses, images, labels, settings, autocast, scaler, generator
        )
    else:
        with autocast:
            pooled = backbone(images)
        values = _backward(net, losses, pooled, labels, settings, scaler, generator)
    average_gradients([p for p in (*net.parameters(), *losses.parameters()) if p not in backbone.parameters])
    if not settings.sync_batch_norm:
        average_statistics(net)
    values["gradient_norm"] = _clip(net, losses, optimizer, scaler, settings.clip_norm)
    scaler.step(optimizer)
    scaler.update()
    return values


def _backward(
    net: ReidNet,
    losses: WeightedSum,
    pooled: Tensor,
    labels: Tensor,
    settings: StepSettings,
    scaler: torch.amp.GradScaler,
    generator: torch.Generator,
) -> dict[str, float]:
    if settings.gather:
        pooled, labels = gather_rows(pooled), gather_rows(labels)
    try:
        total, terms = losses(net.head(pooled), labels, generator=generator)
    except NonFiniteEmbeddingsError as error:
        raise NonFiniteError(str(error)) from None
    terms = {**terms, "total": total.detach()}
    numbers = torch.stack(list(terms.values()))
    average_in_place([numbers])
    values = dict(zip(terms, numbers.tolist(), strict=True))
    broken = [name for name, value in values.items() if not _is_finite(value)]
    if broken:
        raise NonFiniteError(f"loss term {broken[0]!r} is {values[broken[0]]}")
    scaler.scale(total).backward()
    return values


def _backward_in_parts(
    net: ReidNet,
    backbone: ParallelBackbone,
    losses: WeightedSum,
    images: Tensor,
    labels: Tensor,
    settings: StepSettings,
    autocast: torch.autocast,
    scaler: torch.amp.GradScaler,
    generator: torch.Generator,
) -> dict[str, float]:
    with torch.no_grad(), _statistics_not_counted(net.backbone), autocast:
        parts = images.split(settings.micro_batch)
        pooled = torch.cat([net.pooled(part) for part in parts])  # (N, D)
    pooled.requires_grad_()
    values = _backward(net, losses, pooled, labels, settings, scaler, generator)
    assert pooled.grad is not None
    gradients = pooled.grad.split(settings.micro_batch)
    for number, (part, gradient) in enumerate(zip(parts, gradients, strict=True), 1):
        with backbone.averages(is_last=number == len(parts)):
            with autocast:
                again = backbone(part)
            if again.requires_grad:
                again.backward(gradient)
    return values


@contextlib.contextmanager
def _statistics_not_counted(backbone: nn.Module) -> Iterator[None]:
    """Make batch normalisation use batch statistics without updating its running statistics."""
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
