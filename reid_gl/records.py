"""Data classes that the packages share: samples, data sets, batches, outputs, features and scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor

JUNK_PID = -1
"""Identity of junk: gallery images that the Market-1501 protocol ignores, neither right nor wrong."""

DISTRACTOR_PID = 0
"""Identity of distractors: gallery images without a query identity, wrong for every query."""


FEATURES = ("before_neck", "after_neck")
"""The two embeddings of a ReidOutput, by name."""

TEST_FEATURES = (*FEATURES, "concatenated")
"""Features for comparing images: one of the embeddings, or both normalised and concatenated."""


@dataclass(frozen=True)
class Sample:
    """One image of one identity, as a reference to a file; the file is not opened.

    Attributes:
        path: image file.
        pid: identity number of the data set; 0 is a distractor, -1 junk.
        camid: camera, counted from 0; -1 if unknown.
        box: (x1, y1, x2, y2) pixels of the person inside the image; None for the whole image.
        tracklet: number of the track that the image is a frame of; -1 if unknown.
        source: number of the data set it comes from, if several are combined for training.
        clothes: number of the person's clothes, which are different for different people; -1 if unknown.
        date: number of the day; -1 if unknown.
    """

    path: str
    pid: int
    camid: int = -1
    box: tuple[int, int, int, int] | None = None
    tracklet: int = -1
    source: int = 0
    clothes: int = -1
    date: int = -1


@dataclass(frozen=True, eq=False)
class SceneSearch:
    """Person search: which whole images each query searches, and where its person is in them.

    Attributes:
        scenes: (G,) int64 number of the scene that each gallery box lies in, from 0.
        boxes: (G, 4) int64 x1, y1, x2 and y2 of the gallery boxes, in pixels of their scenes.
        searched: (Q, S) bool, whether a query searches a scene.
        targets: (T, 2) int64 query and scene of each true box, in this order; a query has at most one in a
            scene.
        target_boxes: (T, 4) int64 x1, y1, x2 and y2 of the true boxes.
    """

    scenes: NDArray[np.int64]
    boxes: NDArray[np.int64]
    searched: NDArray[np.bool_]
    targets: NDArray[np.int64]
    target_boxes: NDArray[np.int64]


@dataclass(frozen=True)
class ReidDataset:
    """A training set and a test set with disjoint identities.

    Attributes:
        train: training samples.
        query: query samples.
        gallery: gallery samples, with distractors and without junk; empty if every query searches all other
            queries.
        name: name of the data set in results.
        ks: values of K for Recall@K that are usual for the data set; empty for person and vehicle sets.
        draws: galleries that are searched one after another, each as places in `gallery`; scores are means
            over them (see evaluate_features). Empty if the whole gallery is searched.
        search: the scenes that each query searches, for sets of person search; the gallery is boxes in them.
    """

    train: tuple[Sample, ...]
    query: tuple[Sample, ...]
    gallery: tuple[Sample, ...]
    name: str = "custom"
    ks: tuple[int, ...] = ()
    draws: tuple[tuple[int, ...], ...] = ()
    search: SceneSearch | None = field(default=None, compare=False)


class Batch(NamedTuple):
    """The images of one training step.

    Attributes:
        images: (N, 3, H, W) uint8 RGB, resized and augmented, not yet normalised.
        labels: (N,) int64 in [0, C).
        camids: (N,) int64.
    """

    images: Tensor
    labels: Tensor
    camids: Tensor


class ReidOutput(NamedTuple):
    """Output of the network for N images.

    Attributes:
        before_neck: (N, D) pooled features.
        after_neck: (N, D) features after the neck; the same as before_neck if there is none.
        logits: (N, C) scores over the training identities.
    """

    before_neck: Tensor
    after_neck: Tensor
    logits: Tensor


@dataclass(frozen=True)
class Features:
    """Embeddings of M images, with the identities and cameras that scoring needs.

    Attributes:
        embeddings: (M, D) float32.
        pids: (M,) int64.
        camids: (M,) int64, -1 where unknown.
        paths: M image files, in the same order.
        images: (M,) int64 image numbers, equal for the same image in query and gallery; -1 for an image that
            is on one side only. None if no image is on both sides.
        clothes: (M,) int64 clothes of the person, -1 where unknown; None if all are.
        dates: (M,) int64 days, -1 where unknown; None if all are.
    """

    embeddings: NDArray[np.float32]
    pids: NDArray[np.int64]
    camids: NDArray[np.int64]
    paths: tuple[str, ...] = ()
    images: NDArray[np.int64] | None = None
    clothes: NDArray[np.int64] | None = None
    dates: NDArray[np.int64] | None = None


@dataclass(frozen=True)
class RankingResult:
    """Scores of a ranked gallery, all in [0, 1].

    Attributes:
        cmc: (max_rank,) share of scored queries with a match among the first 1, 2, ... images.
        mean_ap: mean average precision, rectangle rule (precision at each match).
        mean_ap_trapezoid: mean average precision by the trapezoid rule of the official Market-1501 code.
        mean_inp: mean inverse negative penalty (matches divided by the rank of the last one).
        num_queries: queries given.
        num_scored: queries that have a match in the gallery; only these count.
        num_gallery: gallery images searched, junk left out.
        average_precision: (num_queries,) rectangle rule, NaN where a query has no match.
        first_match: (num_queries,) rank of the first match, starting at 1; 0 if there is none.
    """

    cmc: NDArray[np.float64]
    mean_ap: float
    mean_ap_trapezoid: float
    mean_inp: float
    num_queries: int
    num_scored: int
    num_gallery: int
    average_precision: NDArray[np.float64]
    first_match: NDArray[np.int64]

    def rank(self, k: int) -> float:
        """Return the share of scored queries with a match among the first k images, 1 <= k <= max_rank."""
        if not 1 <= k <= len(self.cmc):
            raise ValueError(f"rank {k} was not computed: expected 1 to {len(self.cmc)} (max_rank)")
        return float(self.cmc[k - 1])
