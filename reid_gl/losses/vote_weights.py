"""Vote weights: how strongly each image of a batch votes on each other image."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from reid_gl.similarity import cosine_similarity, pearson_similarity

SIMILARITIES = {"pearson": pearson_similarity, "cosine": cosine_similarity}
NEGATIVES = ("clip", "shift")


def vote_weights(
    embeddings: Tensor,
    *,
    similarity: str = "pearson",
    negatives: str = "clip",
    similarity_scale: float | None = None,
    self_similarity: bool = True,
) -> Tensor:
    """Non-negative similarities between the images of a batch, in float32 or better.

    Without a scale they are those of the paper: r, with negative values clipped or all values shifted. With
    a scale s they are exp(s (r - 1)): 1 for identical images, and the larger s is, the less distant images
    count.

    Args:
        embeddings: (N, D), any scale; a constant row (for "cosine": a zero row) has similarity 0 to all.
        similarity: "pearson" or "cosine".
        negatives: "clip" or "shift", see group_loss; has no effect with a scale.
        similarity_scale: s, positive; None for the paper's form.
        self_similarity: keep the diagonal; if false, it is set to 0.

    Returns:
        (N, N) float32 or float64.
    """
    weights = SIMILARITIES[similarity](embeddings.to(torch.promote_types(embeddings.dtype, torch.float32)))
    if similarity_scale is not None:
        weights = (similarity_scale * (weights - 1.0)).exp()
    else:
        if negatives == "shift":
            weights = weights - weights.amin().clamp_max(0.0)
        weights = F.relu(weights)  # unlike clamp_min, relu has gradient 0 at exactly 0
    if not self_similarity:
        weights = weights * (1.0 - torch.eye(len(weights), device=weights.device, dtype=weights.dtype))
    return weights
