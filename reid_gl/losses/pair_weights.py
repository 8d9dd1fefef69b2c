"""General Pair Weighting: how much each loss cares about each pair of a batch.

A loss on pairs reaches the network only through the similarities S of the batch, so its derivative by them
is all there is to it: two losses with the same |dL/dS| train alike, whatever their formulas look like.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reid_gl.losses.pairs import check_batch, pair_similarity
from reid_gl.losses.peer_loss import value_of_similarity


def pair_weights(
    loss: nn.Module, embeddings: Tensor, labels: Tensor, *, miner: nn.Module | None = None
) -> Tensor:
    """Weight w_ij = N |dL/dS_ij| that a loss gives to the pair of anchor i and image j.

    S holds the cosine similarities as N x N independent entries, so that w_ij and w_ji may differ: each
    belongs to its own anchor. The factor N undoes the mean over anchors that most losses end with. The
    sign is left out: as a rule positives are pulled and negatives pushed. Neither the loss nor the
    embeddings are changed, and no gradient is left behind.

    Args:
        loss: a loss of this package on similarities, or any pair loss of pytorch-metric-learning, whose
            own distance is taken from S.
        embeddings: (N, D), any scale.
        labels: (N,) int64.
        miner: of pytorch-metric-learning, for a loss of its own; losses of this package bring theirs.

    Returns:
        (N, N) float32 or better, at least 0; a row is an anchor. Zero for pairs the loss does not look at,
        such as an image with itself, and everywhere if the batch gives the loss nothing to do.

    Raises:
        ValueError: shapes disagree, or the loss gives no single number.
        TypeError: the loss is no function of the similarities of pairs alone, or it brings its own miner.

    Source:
        Wang et al., "Multi-Similarity Loss with General Pair Weighting for Deep Metric Learning", CVPR
        2019, section 3.
    """
    labels = check_batch(embeddings, labels)
    # a graph is needed here even if the caller does without
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
                f"{_name(loss)} takes no miner here: a miner goes with a raw pytorch-metric-learning loss"
            )
        value = own_form(similarity, labels)
        if not isinstance(value, Tensor) or value.numel() != 1:
            raise ValueError(f"{_name(loss)} gives no single number: choose a reducer that does")
        return value
    if type(loss).__module__.startswith("reid_gl."):
        raise TypeError(
            f"{_name(loss)} has no pair weights: it does not depend on pair similarities alone; use "
            "one with from_similarity, such as MultiSimilarityLoss, or a pair loss of pytorch-metric-learning"
        )
    return value_of_similarity(loss, similarity, labels, miner=miner)


def _name(loss: nn.Module) -> str:
    return type(loss).__name__
