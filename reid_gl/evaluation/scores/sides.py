"""Prepare features of query and gallery for scoring: identities, junk, rules of cameras and images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features
from reid_gl.evaluation.scores.identities import check_identities
from reid_gl.evaluation.scores.matching import GroupRule
from reid_gl.records import JUNK_PID, Features

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Sides:
    """What is compared, and by which rules.

    Attributes:
        query: (Q, D).
        gallery: (G, D); None if the queries search one another.
        query_pids: (Q,).
        gallery_pids: (G,).
        rules: the camera rule, and others that the sides ask for.
        rows: places of the queries and of the gallery images among the features given, (Q,) and (G,).
    """

    query: Floats
    gallery: Floats | None
    query_pids: Ints
    gallery_pids: Ints
    rules: tuple[GroupRule, ...]
    rows: tuple[Ints, Ints]


def prepare(query: Features, gallery: Features | None, *, use_cameras: bool, drop_junk: bool) -> Sides:
    """Check both sides.

    Args:
        query: Q features.
        gallery: G features; None if the queries search one another. Junk queries are then left out.
        use_cameras: leave out gallery images of the query's own identity and camera.
        drop_junk: remove junk from the gallery, which re-ranking must not use as neighbours.

    Returns:
        The sides.

    Raises:
        ValueError: shapes disagree, identities are not whole numbers, or features are not finite.
    """
    searches_itself = gallery is None
    if gallery is None:
        rows = (np.flatnonzero(query.pids != JUNK_PID),) * 2
        query = gallery = with_own_cameras(query, use_cameras)
        use_cameras = True
    else:
        rows = (np.arange(len(query.embeddings)), np.arange(len(gallery.embeddings)))
    check_features(query.embeddings, gallery.embeddings)
    (query_pids, query_camids), (gallery_pids, gallery_camids) = (
        check_identities(name, side.pids, side.camids if use_cameras else None, len(side.embeddings))
        for name, side in (("query", query), ("gallery", gallery))
    )
    rules = [GroupRule(query_camids, gallery_camids)]
    if not searches_itself and query.images is not None and gallery.images is not None:
        rules.append(GroupRule(query.images, gallery.images))
    searched = gallery.embeddings
    if drop_junk and (gallery_pids == JUNK_PID).any():
        kept = gallery_pids != JUNK_PID
        searched, gallery_pids = searched[kept], gallery_pids[kept]
        rules = [GroupRule(rule.query, rule.gallery[kept]) for rule in rules]
        rows = rows[0], rows[1][kept]
    return Sides(
        query.embeddings, None if searches_itself else searched, query_pids, gallery_pids, tuple(rules), rows
    )


def with_own_cameras(features: Features, use_cameras: bool) -> Features:
    """Remove junk, and give each image without a camera a unique one, so that no image matches itself."""
    kept = features.pids != JUNK_PID
    camids = features.camids[kept] if use_cameras else np.full(int(kept.sum()), -1)
    # renumber cameras from 0, so that the unique ones, which start at len(camids), cannot collide with them
    known = np.unique(camids, return_inverse=True)[1]
    own = np.where(camids < 0, len(camids) + np.arange(len(camids)), known)
    return Features(features.embeddings[kept], features.pids[kept], own)
