"""Convert test-time settings back to the keys of a configuration."""

from __future__ import annotations

from typing import Any

from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.inference.strategies.settings import InferenceSettings


def inference_overrides(
    inference: InferenceSettings, rerank: RerankSettings | None, *, feature: str, metric: str
) -> dict[str, Any]:
    """Return the TEST keys and values from which read_experiment reads exactly these settings."""
    keys = {
        "PRESET": "none",
        "FEATURE": feature,
        "METRIC": metric,
        "MIXING": -1.0 if inference.mixing is None else inference.mixing,
        "SLOPE": inference.slope,
        "BETA": inference.beta,
        "FLIP": inference.flip,
        "NUM_CROPS": inference.num_crops,
        "RERANK.ENABLED": rerank is not None,
    }
    if rerank is not None:
        keys |= rerank_keys(rerank)
    return {f"TEST.{key}": value for key, value in keys.items()}


def rerank_keys(rerank: RerankSettings) -> dict[str, Any]:
    """Return the keys of TEST and the values that make these settings of re-ranking."""
    return {
        "RERANK.K1": rerank.k1,
        "RERANK.K2": rerank.k2,
        "RERANK.LAMBDA": rerank.lambda_value,
        "RERANK.DOUBLED_POOL": rerank.doubled_pool,
    }
