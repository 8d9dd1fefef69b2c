"""The losses of pairs, batches for them, and their gradients."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from reid_gl.losses.binomial_deviance import binomial_deviance_loss, binomial_deviance_loss_of_similarity
from reid_gl.losses.multi_similarity import multi_similarity_loss, multi_similarity_loss_of_similarity
from reid_gl.losses.ranked_list import ranked_list_loss, ranked_list_loss_of_similarity

PAIR_LOSSES: dict[str, tuple[Callable[..., Tensor], Callable[..., Tensor]]] = {
    "binomial_deviance": (binomial_deviance_loss, binomial_deviance_loss_of_similarity),
    "multi_similarity": (multi_similarity_loss, multi_similarity_loss_of_similarity),
    "ranked_list": (ranked_list_loss, ranked_list_loss_of_similarity),
}
"""Each as a function of embeddings and of similarities."""


def random_pairs(seed: int, *, num_rows: int = 12, width: int = 6) -> tuple[Tensor, Tensor]:
    """Embeddings and labels. Some identities have one image, so that some anchors have no positive."""
    generator = torch.Generator().manual_seed(seed)
    embeddings = 3 * torch.randn(num_rows, width, generator=generator, dtype=torch.float64)
    return embeddings, torch.randint(6, (num_rows,), generator=generator)


def value_and_gradient(loss: Callable[[Tensor], Tensor], inputs: Tensor) -> tuple[Tensor, Tensor]:
    live = inputs.clone().requires_grad_()
    value = loss(live)
    return value.detach(), torch.autograd.grad(value, live)[0]
