"""Person search: every query searches scenes of its own, and boxes are matched by how they overlap.

For each scene that shows the query's person, the nearest box that overlaps the true one enough is the match.
All other boxes of the searched scenes are wrong, whoever they show.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.blocks import check_features
from reid_gl.evaluation.feature_distances import feature_distances
from reid_gl.evaluation.reranking.gnn import GnnRerankSettings
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.counting import (
    FIRST_MATCH,
    INVERSE_PENALTY,
    NUM_SCORES,
    RECTANGLE,
    TRAPEZOID,
    score_ranks,
)
from reid_gl.evaluation.scores.summary import summarise
from reid_gl.records import Features, RankingResult, SceneSearch

Floats = NDArray[np.floating]
Ints = NDArray[np.int64]
LARGEST_OVERLAP = 0.5
"""The overlap (intersection / union) that is enough for a large box."""
SLACK = 10
"""A box that is larger than the true one by so many pixels in width and height is right, too."""
NEVER = 2**31
"""Rank of the first match of a query whose person is in no box: behind every gallery."""


def evaluate_person_search(
    query: Features,
    gallery: Features,
    search: SceneSearch,
    *,
    metric: str = "cosine",
    rerank: RerankSettings | GnnRerankSettings | None = None,
    max_memory_gb: float | None = None,
    max_rank: int = 50,
) -> RankingResult:
    """Score queries that search scenes; the gallery is true boxes or those of a detector.

    A box finds the person if its intersection over union with the true box is at least 0.5, or, for a small
    true box of w x h pixels, w h / ((w + 10) (h + 10)). Of several such boxes in a scene, the nearest is the
    match and the others are wrong. The average precision of a query is that of its ranked list, times the
    share of its true boxes that were found. Coordinates below 0 count as 0.

    Args:
        query: Q features.
        gallery: G features; their identities and cameras do not count.
        search: scenes and boxes of the gallery, what each query searches, and the true boxes.
        metric: "cosine" or "euclidean".
        rerank: see evaluate_features; the neighbours of a box are sought in all scenes, also in those that a
            query does not search.
        max_memory_gb: see evaluate_features.
        max_rank: length of the CMC curve.

    Returns:
        cmc, whose first value papers call top-1, and mean_ap. Queries without a true box in their scenes are
        counted and not scored; queries whose person no box finds score 0, with a first match behind every
        gallery. mean_inp is 0 for a query that misses a true box. A tie ranks the wrong box first.

    Raises:
        ValueError: shapes disagree, features are not finite, or no query has a true box in its scenes.

    Source: Xiao et al., "Joint Detection and Identification Feature Learning for Person Search", CVPR 2017,
        section 4; overlap and recall are those of the authors' evaluation code.
    """
    check_features(query.embeddings, gallery.embeddings)
    if max_rank < 1:
        raise ValueError(f"max_rank must be at least 1, got {max_rank}")
    _check_shapes(search, len(query.embeddings), len(gallery.embeddings))
    scenes = _Scenes(search)
    scores = np.full((len(query.embeddings), NUM_SCORES), np.nan)
    scores[:, FIRST_MATCH] = 0
    blocks = feature_distances(
        query.embeddings, gallery.embeddings, metric=metric, rerank=rerank, max_memory_gb=max_memory_gb
    )
    number = 0
    for block in blocks:
        for distances in block:
            scenes.score(number, distances, scores[number])
            number += 1
    if not (scores[:, FIRST_MATCH] > 0).any():
        raise ValueError(
            f"none of the {len(scores):,} queries has a true box in a scene that it searches: check the "
            "lists of scenes"
        )
    return summarise(scores, num_gallery=len(gallery.embeddings), max_rank=max_rank)


class _Scenes:
    """The boxes of each scene and the true boxes of each query, found without reading them all."""

    def __init__(self, search: SceneSearch) -> None:
        self._search = search
        num_scenes = search.searched.shape[1]
        self._by_scene = np.argsort(search.scenes, kind="stable")
        self._starts = np.searchsorted(search.scenes[self._by_scene], np.arange(num_scenes + 1))
        numbers = np.arange(len(search.searched) + 1)
        self._first_target = np.searchsorted(search.targets[:, 0], numbers)

    def score(self, number: int, distances: Floats, scores: NDArray[np.float64]) -> None:
        """Fill a query's scores (NUM_SCORES,) from its distances (G,); leave them if it has no true box."""
        search = self._search
        targets = np.arange(self._first_target[number], self._first_target[number + 1])
        targets = targets[search.searched[number, search.targets[targets, 1]]]
        if not len(targets):
            return
        matches = self._find(targets, distances)
        if not len(matches):
            scores[[RECTANGLE, TRAPEZOID, INVERSE_PENALTY, FIRST_MATCH]] = 0, 0, 0, NEVER
            return
        is_wrong = search.searched[number, search.scenes]
        is_wrong[matches] = False
        score_ranks(_rank(distances[matches], distances[is_wrong]), scores)
        scores[[RECTANGLE, TRAPEZOID]] *= len(matches) / len(targets)
        if len(matches) < len(targets):
            scores[INVERSE_PENALTY] = 0

    def _find(self, targets: Ints, distances: Floats) -> Ints:
        """Return the gallery row that matches each target; targets without one are left out."""
        own = self._search.targets[targets, 1]
        rows = [self._by_scene[self._starts[scene] : self._starts[scene + 1]] for scene in own]
        owners = np.repeat(targets, [len(some) for some in rows])
        candidates = np.concatenate(rows)
        fits = overlap_enough(self._search.boxes[candidates], self._search.target_boxes[owners])
        candidates, owners = candidates[fits], owners[fits]
        order = np.lexsort((distances[candidates], owners))  # by target, the nearest first
        firsts = np.unique(owners[order], return_index=True)[1]
        found: Ints = candidates[order][firsts]
        return found


def overlap_enough(boxes: Ints, true_boxes: Ints) -> NDArray[np.bool_]:
    """Return whether each box finds the true box of its row; both (P, 4), x1, y1, x2 and y2 in pixels."""
    boxes, true_boxes = (np.maximum(some, 0) for some in (boxes, true_boxes))
    corners = np.minimum(boxes[:, 2:], true_boxes[:, 2:]), np.maximum(boxes[:, :2], true_boxes[:, :2])
    shared = np.maximum(corners[0] - corners[1], 0).prod(axis=1)
    sizes = true_boxes[:, 2:] - true_boxes[:, :2]
    union = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1) + sizes.prod(axis=1) - shared
    needed = np.minimum(LARGEST_OVERLAP, sizes.prod(axis=1) / (sizes + SLACK).prod(axis=1))
    enough: NDArray[np.bool_] = shared / np.maximum(union, 1) >= needed  # divided as the threshold is
    return enough


def _rank(matches: Floats, wrong: Floats) -> Ints:
    """Return the ascending ranks, from 1, of the matches among the wrong boxes, from their distances."""
    matches = np.sort(matches)
    behind = np.bincount(np.searchsorted(matches, wrong), minlength=len(matches) + 1)
    ranks: Ints = np.cumsum(behind[:-1]) + np.arange(1, len(matches) + 1)
    return ranks


def _check_shapes(search: SceneSearch, num_query: int, num_gallery: int) -> None:
    num_scenes = search.searched.shape[-1]
    targets = search.targets
    expected = {
        "scenes": (num_gallery,),
        "boxes": (num_gallery, 4),
        "searched": (num_query, num_scenes),
        "targets": (len(targets), 2),
        "target_boxes": (len(targets), 4),
    }
    for name, shape in expected.items():
        if (found := getattr(search, name).shape) != shape:
            raise ValueError(f"search.{name} has shape {found}: expected {shape}")
    for name, numbers, end in (
        ("scenes", search.scenes, num_scenes),
        ("targets", targets[:, 0], num_query),
        ("targets", targets[:, 1], num_scenes),
    ):
        if len(numbers) and not 0 <= numbers.min() <= numbers.max() < end:
            raise ValueError(f"search.{name} must name numbers from 0 to {end - 1:,}, got {numbers.max()}")
    if (np.diff(targets[:, 0] * num_scenes + targets[:, 1]) <= 0).any():
        raise ValueError("search.targets must be in the order of queries and scenes, with none twice")
