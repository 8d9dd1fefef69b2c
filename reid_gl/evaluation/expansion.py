"""Query expansion: a query becomes the mean of itself and what it finds first."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features
from reid_gl.similarity import unit_rows

Floats = NDArray[np.float32]
BLOCK_CELLS = 16_000_000
"""Similarities held at once: 64 MB of float32."""


def expand_queries(query: Floats, gallery: Floats, *, num_neighbours: int = 10, alpha: float = 0.0) -> Floats:
    """Replace each query by a weighted mean of its direction and those of its nearest gallery pictures.

    Args:
        query: (Q, D); only directions count.
        gallery: (G, D), junk left out.
        num_neighbours: gallery pictures that join; all there are, if there are fewer. 0 changes nothing.
        alpha: they weigh their cosine to the power alpha, negative ones nothing, the query itself 1; 0 is
            average query expansion, in which all weigh the same.

    Returns:
        (Q, D) float32 unit vectors.

    Raises:
        ValueError: shapes disagree, features that are not finite, or a negative setting.

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
    queries, pictures = (unit_rows(torch.tensor(side, dtype=torch.float32)) for side in (query, gallery))
    count = min(num_neighbours, len(pictures))
    rows = max(1, BLOCK_CELLS // max(1, len(pictures)))
    expanded = []
    for block in queries.split(rows):
        cosines, places = (block @ pictures.T).topk(count, dim=1)  # (B, count)
        weights = cosines.clamp_min(0.0) ** alpha if alpha else torch.ones_like(cosines)
        joined = block + torch.einsum("bk,bkd->bd", weights, pictures[places])
        expanded.append(unit_rows(joined))
    result: Floats = torch.cat(expanded).numpy()
    return result
