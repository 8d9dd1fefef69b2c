"""A network and a data set in, scores out."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from reid_gl.data.transforms import Preprocessing
from reid_gl.evaluation.multi_query import pool_queries
from reid_gl.evaluation.protocol import check_protocol
from reid_gl.evaluation.ranking import evaluate_features
from reid_gl.evaluation.rerank import RerankSettings
from reid_gl.inference.extract import extract_features
from reid_gl.inference.test_time import PLAIN, InferenceSettings, check_comparison
from reid_gl.records import JUNK_PID, RankingResult, ReidDataset, Sample


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
    """Score a network on the query and gallery of a data set by the Market-1501 protocol.

    Args:
        model: any module from images (N, 3, H, W) to a tensor (N, D) or a ReidOutput.
        dataset: its query and gallery are used.
        preprocessing: how images become the network's input; None is 256 x 128 with ImageNet statistics.
        feature: "before_neck", "after_neck" or "concatenated", where the network gives both.
        metric: "cosine" or "euclidean"; beta-normalisation needs the latter.
        inference: pooling, views and normalisation at test time.
        extra_queries: further pictures of the queries' people in the queries' cameras, see pool_queries;
            under cosine only.
        query_pooling: "average" or "max", of a query and its extra pictures.
        rerank: settings of k-reciprocal re-ranking; None for none.
        max_memory_gb: what re-ranking may use beyond the features.
        camera_filter: "auto", "on" or "off", see check_protocol.
        batch_size: pictures at once.
        num_workers: processes that read pictures.
        precision: number format of the network's layers.
        show_progress: draw progress bars.

    Returns:
        CMC, mAP by both rules and mINP.

    Raises:
        ValueError: nothing can be scored, a switch of `inference` cannot act, or the network's features are
            not finite.
    """
    check_comparison(inference, feature=feature, metric=metric)
    preflight = check_protocol(dataset.query, dataset.gallery, camera_filter=camera_filter)
    gallery = [sample for sample in dataset.gallery if sample.pid != JUNK_PID]
    if extra_queries and metric != "cosine":
        raise ValueError("several pictures of a query are pooled by direction: score them by cosine")
    sides = (
        extract_features(
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
        for samples in (dataset.query, gallery, extra_queries)
        if samples
    )
    query_features, gallery_features = next(sides), next(sides)
    if extra_queries:
        query_features = pool_queries(query_features, next(sides), pooling=query_pooling)
    return evaluate_features(
        query_features,
        gallery_features,
        metric=metric,
        rerank=rerank,
        max_memory_gb=max_memory_gb,
        use_cameras=preflight.use_cameras,
    )
