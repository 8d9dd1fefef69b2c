"""Query expansion: replace a query by the mean of itself and its nearest gallery images."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features
from reid_gl.similarity import unit_rows

Floats = NDArray[np.float32]
BLOCK_CELLS = 16_000_000
"""Maximum number of similarities in memory at once: 64 MB of float32."""


def expand_queries(query: Floats, gallery: Floats, *, num_neighbours: int = 10, alpha: float = 0.0) -> Floats:
    """Replace each query by a weighted mean of its unit vector and those of its nearest gallery images.

    Args:
        query: (Q, D); rows are normalised first.
        gallery: (G, D) without junk; rows are normalised first.
        num_neighbours: gallery images to add to each query; all of them if the gallery has fewer. 0 adds
            none, so the result is the normalised query.
        alpha: a neighbour's weight is its cosine to the power alpha, or 0 for a negative cosine; the query's
            own weight is 1. With 0 all weights are 1 (average query expansion).

    Returns:
        (Q, D) float32 unit vectors.

    Raises:
        ValueError: shapes disagree, features are not finite, or a setting is negative.

    Source:
        Chum et al., "Total Recall: Automatic Query Expansion with a Generative Feature Model for Object
        Retrieval", ICCV 2007 (average); Radenović et al., "Fine-tuning CNN Image Retrieval with No Human
        Annotation", TPAMI 2019, section 3.4 (alpha).
    """
    check_features(query, gallery)
    if num_neighbours < 0 or alpha < 0:
        raise ValueError(
            f"query expansion needs settings of at least 0, got {num_neighbours} neighbours and alpha {alpha}"
        )
    queries, images = (unit_rows(torch.tensor(side, dtype=torch.float32)) for side in (query, gallery))
    count = min(num_neighbours, len(images))
    rows = max(1, BLOCK_CELLS // max(1, len(images)))
    expanded = []
    for block in queries.split(rows):
        cosines, places = (block @ images.T).topk(count, dim=1)  # (B, count)
        weights = cosines.clamp_min(0.0) ** alpha if alpha else torch.ones_like(cosines)
        joined = block + torch.einsum("bk,bkd->bd", weights, images[places])
        expanded.append(unit_rows(joined))
    result: Floats = torch.cat(expanded).numpy()
    return result
