"""General Pair Weighting: the weight that a loss gives to each pair of a batch.

A pair loss reaches the network only through the similarities S of the batch. So its gradient with respect to
S describes it fully: two losses with the same |dL/dS| train alike, however different their formulas look.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reid_gl.losses.pairs import pair_similarity
from reid_gl.losses.peer_loss import value_of_similarity


def pair_weights(
    loss: nn.Module, embeddings: Tensor, labels: Tensor, *, miner: nn.Module | None = None
) -> Tensor:
    """Weight w_ij = N |dL/dS_ij| that a loss gives to the pair of anchor i and image j.

    S holds the cosine similarities as N x N independent entries, so w_ij and w_ji may differ: each belongs
    to its own anchor. The factor N undoes the mean over anchors that ends most losses. The sign is dropped:
    as a rule the loss pulls positives and pushes negatives. Neither the loss nor the embeddings change, and
    no gradient is left behind.

    Args:
        loss: a loss of this package on similarities, or any pair loss of pytorch-metric-learning; for the
            latter, S replaces its own distance.
        embeddings: (N, D), any scale.
        labels: (N,) int64.
        miner: a miner of pytorch-metric-learning, for a loss of that library; losses of this package
            include their own.

    Returns:
        (N, N) float32 or better, at least 0; rows are anchors. Zero for pairs that the loss ignores, such as
        an image with itself, and everywhere if the loss is constant on this batch.

    Raises:
        ValueError: the shapes disagree, or the loss does not return a single number.
        TypeError: the loss does not depend on pair similarities alone, or a loss with its own miner is given
            another one.

    Source:
        Wang et al., "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning", CVPR
        2019, section 3.
    """
    # this function needs a graph even if the caller has disabled gradients
    with (
        torch.inference_mode(False),
        torch.enable_grad(),
        torch.autocast(embeddings.device.type, enabled=False),
    ):
        similarity = pair_similarity(embeddings.detach().clone(), labels).requires_grad_()  # (N, N)
        value = _value_of_similarity(loss, similarity, labels, miner)
        if not value.requires_grad:
            return torch.zeros_like(similarity)
        (derivative,) = torch.autograd.grad(value, similarity, allow_unused=True, materialize_grads=True)
    return len(labels) * derivative.detach().abs()


def _value_of_similarity(
    loss: nn.Module, similarity: Tensor, labels: Tensor, miner: nn.Module | None
) -> Tensor:
    own_form = getattr(loss, "from_similarity", None)
    if own_form is not None:
        if miner is not None:
            raise TypeError(
                f"{_name(loss)} takes no miner here: only a raw pytorch-metric-learning loss takes one"
            )
        value = own_form(similarity, labels)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise ValueError(f"{_name(loss)} does not return a single number: choose a reducer that does")
        return value
    if type(loss).__module__.startswith("reid_gl."):
        raise TypeError(
            f"{_name(loss)} has no pair weights: it does not depend on pair similarities alone; use "
            "one with from_similarity, such as MultiSimilarityLoss, or a pair loss of pytorch-metric-learning"
        )
    return value_of_similarity(loss, similarity, labels, miner=miner)


def _name(loss: nn.Module) -> str:
    return type(loss).__name__
