"""A map of the features of some people: images in the plane, near where they look alike to the network."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.feature_distances import compared_rows
from reid_gl.records import Features

MAX_IMAGES = 800
"""Images on a map; t-SNE of more takes more than seconds."""
FEWEST = 8
NUM_DIMENSIONS = 50
PERPLEXITY = 30.0


def make_map(query: Features, gallery: Features | None, metric: str) -> dict[str, Any] | None:
    """Place all images of some of the queries' identities in the plane, by t-SNE with a fixed seed.

    Args:
        query: Q features.
        gallery: G features; None if the queries search one another.
        metric: "cosine" or "euclidean".

    Returns:
        "places" (M,) of the images among query and gallery together, and "x" and "y" (M,) in [0, 1]; None
        if there are too few images.

    Source:
        van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 2008.
    """
    sides = [query] if gallery is None else [query, gallery]
    pids = np.concatenate([side.pids for side in sides])
    chosen = _choose(np.unique(query.pids[query.pids > 0]), pids)
    if len(chosen) < FEWEST:
        return None
    rows = np.concatenate([side.embeddings for side in sides])[chosen]
    x, y = _embed(compared_rows(rows, metric).numpy()).T
    return {"places": chosen.tolist(), "x": x.round(4).tolist(), "y": y.round(4).tolist()}


def _choose(identities: NDArray[np.int64], pids: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the places of all images of identities drawn at random, as many as there is room for."""
    order = np.random.default_rng(0).permutation(identities)
    counts = np.array([(pids == identity).sum() for identity in order])
    fitting = order[np.cumsum(counts) <= MAX_IMAGES]
    return np.flatnonzero(np.isin(pids, fitting))


def _embed(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return places (M, 2) in [0, 1] for rows (M, D)."""
    # imported here because the import takes seconds
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    spread = rows.astype(np.float64)
    if min(spread.shape) > NUM_DIMENSIONS:
        spread = PCA(NUM_DIMENSIONS, random_state=0).fit_transform(spread)
    perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
    places = TSNE(perplexity=perplexity, init="random", random_state=0).fit_transform(spread)
    low, high = places.min(axis=0), places.max(axis=0)
    scaled: NDArray[np.float64] = (places - low) / np.maximum(high - low, 1e-12)
    return scaled
