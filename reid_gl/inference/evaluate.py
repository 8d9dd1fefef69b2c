"""A network and a data set in, scores out."""

from __future__ import annotations

from torch import nn

from reid_gl.data.transforms import Preprocessing
from reid_gl.evaluation.protocol import check_protocol
from reid_gl.evaluation.ranking import evaluate_features
from reid_gl.evaluation.rerank import RerankSettings
from reid_gl.inference.extract import extract_features
from reid_gl.records import JUNK_PID, RankingResult, ReidDataset


def evaluate(
    model: nn.Module,
    dataset: ReidDataset,
    *,
    preprocessing: Preprocessing | None = None,
    feature: str = "after_neck",
    metric: str = "cosine",
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
        feature: "before_neck" or "after_neck", where the network gives both.
        metric: "cosine" or "euclidean".
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
        ValueError: nothing can be scored, or the network's features are not finite.
    """
    preflight = check_protocol(dataset.query, dataset.gallery, camera_filter=camera_filter)
    gallery = [sample for sample in dataset.gallery if sample.pid != JUNK_PID]
    query_features, gallery_features = (
        extract_features(
            model,
            samples,
            preprocessing=preprocessing or Preprocessing(),
            feature=feature,
            batch_size=batch_size,
            num_workers=num_workers,
            precision=precision,
            show_progress=show_progress,
        )
        for samples in (dataset.query, gallery)
    )
    return evaluate_features(
        query_features,
        gallery_features,
        metric=metric,
        rerank=rerank,
        max_memory_gb=max_memory_gb,
        use_cameras=preflight.use_cameras,
    )
