"""Evaluate a network on a data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from torch import nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.evaluation.multi_query import pool_queries
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.same_images import NO_COPY, number_same_images
from reid_gl.evaluation.scores.protocol import check_test_set
from reid_gl.evaluation.scores.ranking import evaluate_features
from reid_gl.evaluation.track_pooling import pool_tracks
from reid_gl.inference.extract import extract_features
from reid_gl.inference.strategies.settings import PLAIN, InferenceSettings, check_comparison
from reid_gl.records import JUNK_PID, Features, RankingResult, ReidDataset, Sample

NOT_OF_FEATURES = ("rerank", "max_memory_gb", "camera_filter")
"""Arguments of evaluate that are about features, once there are some: extract_sides takes the others."""


def evaluate(
    model: nn.Module,
    dataset: ReidDataset,
    *,
    preprocessing: Preprocessing | None = None,
    feature: str = "after_neck",
    metric: str = "cosine",
    inference: InferenceSettings = PLAIN,
    extra_queries: Sequence[Sample] = (),
    query_pooling: str = "average",
    rerank: RerankSettings | None = None,
    max_memory_gb: float | None = None,
    camera_filter: str = "auto",
    batch_size: int = 64,
    num_workers: int = 0,
    precision: str = "float32",
    show_progress: bool = False,
) -> RankingResult:
    """Score a network on the query and gallery of a data set with the Market-1501 protocol.

    Args:
        model: any module that maps images (N, 3, H, W) to a tensor (N, D) or a ReidOutput.
        dataset: its queries, and its gallery if there is one. Samples of one side with the same tracklet are
            pooled into one (see pool_tracks), for cosine only.
        preprocessing: None means 256 x 128 (height x width) with ImageNet statistics.
        feature: "before_neck", "after_neck" or "concatenated", if the network returns both embeddings.
        metric: "cosine" or "euclidean"; beta-normalisation needs "euclidean".
        inference: pooling, views and normalisation at test time.
        extra_queries: further images of the queries (see pool_queries), for cosine only.
        query_pooling: how to pool a query with its extra images, "average" or "max".
        rerank: settings of k-reciprocal re-ranking; None for no re-ranking.
        max_memory_gb: memory limit of re-ranking, in addition to the features.
        camera_filter: "auto", "on" or "off", see check_protocol.
        batch_size: images per batch.
        num_workers: processes that read images.
        precision: dtype of the network's layers: "float32", "bfloat16", "float16" or "auto".
        show_progress: show progress bars.

    Returns:
        CMC, mAP by both rules and mINP.

    Raises:
        ValueError: nothing can be scored, a setting of `inference` does not apply to the feature, the metric
            or the network, or features are not finite.
    """
    preflight = check_test_set(dataset, camera_filter=camera_filter)
    query, gallery = extract_sides(
        model,
        dataset,
        preprocessing=preprocessing,
        feature=feature,
        metric=metric,
        inference=inference,
        extra_queries=extra_queries,
        query_pooling=query_pooling,
        batch_size=batch_size,
        num_workers=num_workers,
        precision=precision,
        show_progress=show_progress,
    )
    return evaluate_features(
        query,
        gallery,
        metric=metric,
        rerank=rerank,
        max_memory_gb=max_memory_gb,
        use_cameras=preflight.use_cameras,
        draws=dataset.draws,
        search=dataset.search,
    )


def extract_sides(
    model: nn.Module,
    dataset: ReidDataset,
    *,
    preprocessing: Preprocessing | None = None,
    feature: str = "after_neck",
    metric: str = "cosine",
    inference: InferenceSettings = PLAIN,
    extra_queries: Sequence[Sample] = (),
    query_pooling: str = "average",
    batch_size: int = 64,
    num_workers: int = 0,
    precision: str = "float32",
    show_progress: bool = False,
) -> tuple[Features, Features | None]:
    """Extract the features that evaluate scores: of the queries, and of the gallery without junk.

    The gallery's features are None if the data set has no gallery. For arguments and errors see evaluate.
    """
    check_comparison(inference, feature=feature, metric=metric)
    gallery = [sample for sample in dataset.gallery if sample.pid != JUNK_PID]
    if extra_queries and metric != "cosine":
        raise ValueError("several images of a query are pooled by direction: score them by cosine")
    if metric != "cosine" and any(sample.tracklet >= 0 for sample in (*dataset.query, *gallery)):
        raise ValueError("the frames of a track are pooled by direction: score them by cosine")

    def extract(samples: Sequence[Sample]) -> Features:
        return extract_features(
            model,
            samples,
            preprocessing=preprocessing or Preprocessing(),
            feature=feature,
            inference=inference,
            batch_size=batch_size,
            num_workers=num_workers,
            precision=precision,
            show_progress=show_progress,
        )

    query = pool_frames(extract(dataset.query), dataset.query)
    searched = pool_frames(extract(gallery), gallery) if gallery else None
    if extra_queries:
        query = pool_queries(query, extract(extra_queries), pooling=query_pooling)
    return number_shared(query, searched, dataset.query, gallery)


def number_shared(
    query: Features,
    gallery: Features | None,
    query_samples: Sequence[Sample],
    gallery_samples: Sequence[Sample],
) -> tuple[Features, Features | None]:
    """Add image numbers for images that are on both sides, unless tracks have been pooled."""
    is_pooled = any(sample.tracklet >= 0 for sample in (*query_samples, *gallery_samples))
    if gallery is None or is_pooled:
        return query, gallery
    numbers = number_same_images(query_samples, gallery_samples)
    if (numbers[0] == NO_COPY).all():
        return query, gallery
    return replace(query, images=numbers[0]), replace(gallery, images=numbers[1])


def pool_frames(features: Features, samples: Sequence[Sample]) -> Features:
    """Pool the frames of each track into one row, if there are tracks."""
    tracklets = np.array([sample.tracklet for sample in samples], dtype=np.int64)
    return pool_tracks(features, tracklets) if (tracklets >= 0).any() else features
