"""CMC, mAP and mINP under the Market-1501 protocol, without sorting the gallery.

Only the ranks of the matches matter, so each query counts the wrong images that are as near as each of
its matches or nearer. Equal distances rank the wrong images first (pessimistic): the result does not
depend on the gallery's order, and a network that gives every picture the same feature scores badly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from reid_gl.records import JUNK_PID, Features, RankingResult
from reid_gl.similarity import pairwise_distance

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
BLOCK_CELLS = 16_000_000
"""Distances held at once by evaluate_features: 64 MB of float32."""


def evaluate_ranking(
    distances: Floats,
    query_pids: Ints,
    gallery_pids: Ints,
    query_camids: Ints | None = None,
    gallery_camids: Ints | None = None,
    *,
    junk_pid: int = JUNK_PID,
    max_rank: int = 50,
) -> RankingResult:
    """Score a matrix of distances.

    Gallery images of the query's identity taken by the query's camera do not count, nor do junk images.
    Without camera ids there is no camera rule.

    Args:
        distances: (Q, G), larger is more different.
        query_pids: (Q,) identities.
        gallery_pids: (G,) identities; 0 is a distractor like any other wrong identity.
        query_camids: (Q,) cameras, or None.
        gallery_camids: (G,) cameras, or None.
        junk_pid: identity of gallery images to ignore.
        max_rank: length of the CMC curve; it stays flat beyond the gallery's size.

    Returns:
        Scores in [0, 1]; queries without a match are counted and not scored.

    Raises:
        ValueError: shapes disagree, a distance is not a number, only one side has cameras, or no query
            has a match.

    Source:
        Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015, section 5.
    """
    distances = np.asarray(distances)
    if distances.ndim != 2:
        raise ValueError(f"distances must have shape (Q, G), got {distances.shape}")
    query = _identities("query", query_pids, query_camids, distances.shape[0])
    gallery = _identities("gallery", gallery_pids, gallery_camids, distances.shape[1])
    if (query_camids is None) != (gallery_camids is None):
        raise ValueError("give query_camids and gallery_camids, or neither: one side alone has no meaning")
    return _score([distances], query, gallery, junk_pid=junk_pid, max_rank=max_rank)


def evaluate_features(
    query: Features,
    gallery: Features,
    *,
    metric: str = "cosine",
    use_cameras: bool = True,
    max_rank: int = 50,
) -> RankingResult:
    """Score features without ever holding all Q x G distances.

    Args:
        query: Q features with identities and cameras.
        gallery: G features; junk (-1) is ignored.
        metric: "cosine" or "euclidean".
        use_cameras: leave out gallery images of the query's own identity and camera.
        max_rank: length of the CMC curve.

    Returns:
        What evaluate_ranking gives for the same distances.

    Raises:
        ValueError: as evaluate_ranking; also if the two sides differ in dimension.
    """
    if query.embeddings.shape[1:] != gallery.embeddings.shape[1:]:
        raise ValueError(
            f"query features have shape {query.embeddings.shape}, gallery features "
            f"{gallery.embeddings.shape}: expected the same number of columns"
        )
    sides = [
        _identities(name, side.pids, side.camids if use_cameras else None, len(side.embeddings))
        for name, side in (("query", query), ("gallery", gallery))
    ]
    blocks = _distance_blocks(query.embeddings, gallery.embeddings, metric)
    return _score(blocks, sides[0], sides[1], junk_pid=JUNK_PID, max_rank=max_rank)


def _distance_blocks(query: Floats, gallery: Floats, metric: str) -> Iterator[Floats]:
    rows = max(1, BLOCK_CELLS // max(1, len(gallery)))
    gallery_tensor = torch.as_tensor(gallery)
    for start in range(0, len(query), rows):
        block = torch.as_tensor(query[start : start + rows])
        yield pairwise_distance(block, gallery_tensor, metric=metric).numpy()


def _identities(side: str, pids: Ints, camids: Ints | None, count: int) -> tuple[Ints, Ints]:
    """Checked (pids, camids); cameras -1 where none are given, which never matches another one."""
    pids = np.asarray(pids, dtype=np.int64)
    cameras = np.full(count, -1, dtype=np.int64) if camids is None else np.asarray(camids, dtype=np.int64)
    for name, values in (("pids", pids), ("camids", cameras)):
        if values.shape != (count,):
            raise ValueError(f"{side}_{name} must have shape ({count},), got {values.shape}")
    return pids, cameras


def _score(
    blocks: Iterable[Floats],
    query: tuple[Ints, Ints],
    gallery: tuple[Ints, Ints],
    *,
    junk_pid: int,
    max_rank: int,
) -> RankingResult:
    if max_rank < 1:
        raise ValueError(f"max_rank must be at least 1, got {max_rank}")
    gallery_pids, gallery_camids = gallery
    kept = gallery_pids != junk_pid
    ranks: list[Ints] = []
    for block in blocks:
        if np.isnan(block).any():
            raise ValueError("a distance is not a number (NaN): check the features before scoring them")
        for row in block:
            i = len(ranks)
            same_pid = gallery_pids == query[0][i]
            same_camera = (gallery_camids == query[1][i]) & (query[1][i] >= 0)
            ranks.append(ranks_of_matches(row, kept & same_pid & ~same_camera, kept & ~same_pid))
    return _summarise(ranks, num_gallery=int(kept.sum()), max_rank=max_rank)


def ranks_of_matches(distances: Floats, is_match: NDArray[np.bool_], is_wrong: NDArray[np.bool_]) -> Ints:
    """Ranks, from 1 and ascending, of one query's matches among its matches and wrong images.

    Args:
        distances: (G,) to one query.
        is_match: (G,) images to find.
        is_wrong: (G,) images of others; what is neither is ignored.

    Returns:
        (number of matches,) ranks; a wrong image at the same distance comes before a match.
    """
    matches = np.sort(distances[is_match])
    first_not_nearer = np.searchsorted(matches, distances[is_wrong], side="left")
    wrong_before = np.cumsum(np.bincount(first_not_nearer, minlength=len(matches) + 1)[: len(matches)])
    return wrong_before + np.arange(1, len(matches) + 1)


def _summarise(ranks: list[Ints], *, num_gallery: int, max_rank: int) -> RankingResult:
    scored = [row for row in ranks if len(row)]
    if not scored:
        raise ValueError(
            f"none of the {len(ranks)} queries has a match among the {num_gallery} gallery images: with one "
            "camera only, score without the camera rule (TEST.CAMERA_FILTER off)"
        )
    first_match = np.array([row[0] if len(row) else 0 for row in ranks], dtype=np.int64)
    found = np.bincount(first_match[first_match > 0], minlength=max_rank + 1)
    average_precision = np.array([_rectangle(row) if len(row) else np.nan for row in ranks])
    return RankingResult(
        cmc=np.cumsum(found[1 : max_rank + 1]) / len(scored),
        mean_ap=float(np.nanmean(average_precision)),
        mean_ap_trapezoid=float(np.mean([_trapezoid(row) for row in scored])),
        mean_inp=float(np.mean([len(row) / row[-1] for row in scored])),
        num_queries=len(ranks),
        num_scored=len(scored),
        num_gallery=num_gallery,
        average_precision=average_precision,
        first_match=first_match,
    )


def _rectangle(ranks: Ints) -> float:
    return float(np.mean(np.arange(1, len(ranks) + 1) / ranks))


def _trapezoid(ranks: Ints) -> float:
    """Mean over matches of the precision at the match and the one just before it (1 before rank 1)."""
    hits = np.arange(1, len(ranks) + 1)
    before = np.where(ranks > 1, (hits - 1) / np.maximum(ranks - 1, 1), 1.0)
    return float(np.mean((before + hits / ranks) / 2))
