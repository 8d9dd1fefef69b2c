"""Builds the settings for computing, comparing and re-ranking features from the TEST section."""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode

from reid_gl.config.defaults import RERANK, TEST, default_config
from reid_gl.config.keys import take
from reid_gl.data.datasets.reading.extra_queries import load_multi_query
from reid_gl.device import PRECISIONS
from reid_gl.evaluation.multi_query import POOLINGS
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.protocol import CAMERA_FILTERS
from reid_gl.inference.evaluate import evaluate
from reid_gl.inference.strategies.apply import Strategies
from reid_gl.inference.strategies.settings import PRESETS, InferenceSettings, check_comparison
from reid_gl.records import TEST_FEATURES
from reid_gl.similarity import METRICS


def build_evaluation(config: CfgNode) -> dict[str, Any]:
    """Return keyword arguments for reid_gl.inference.evaluate, without the preprocessing.

    Raises:
        ValueError: a value is out of range, or switches contradict each other or the preset.
    """
    test = _filled_in(config.TEST)
    _check_choices(test)
    inference = InferenceSettings(**take(TEST, test, InferenceSettings))
    check_comparison(inference, feature=test.FEATURE, metric=test.METRIC)
    rerank = RerankSettings(**take(RERANK, test.RERANK, RerankSettings))
    return {
        "inference": inference,
        "rerank": rerank if test.RERANK.ENABLED else None,
        "num_workers": config.DATA.NUM_WORKERS,
        **take(TEST, test, evaluate),
        **take(RERANK, test.RERANK, evaluate),
    }


def _check_choices(test: CfgNode) -> None:
    """Check the choices before training; otherwise a typo would only be reported after hours."""
    choices = {
        "FEATURE": TEST_FEATURES,
        "METRIC": METRICS,
        "CAMERA_FILTER": CAMERA_FILTERS,
        "PRECISION": PRECISIONS,
        "MULTI_QUERY": ("none", *POOLINGS),
    }
    for key, known in choices.items():
        if test[key] not in known:
            raise ValueError(f"TEST.{key} must be one of {', '.join(known)}, got {test[key]!r}")


def build_extra_queries(config: CfgNode) -> dict[str, Any]:
    """Return keyword arguments for evaluate: extra images of the queries, or none if MULTI_QUERY is none.

    Raises:
        ValueError: as build_evaluation.
        FileNotFoundError: the data set has no such images.
    """
    _check_choices(config.TEST)
    pooling = config.TEST.MULTI_QUERY
    if pooling == "none":
        return {}
    return {"extra_queries": load_multi_query(config.DATA.ROOT), "query_pooling": pooling}


def build_strategies(config: CfgNode) -> Strategies:
    """Return the feature and the test-time strategies, as checkpoints store them.

    Raises:
        ValueError: as build_evaluation.
    """
    evaluation = build_evaluation(config)
    return Strategies(evaluation["feature"], evaluation["inference"])


def inference_overrides(
    inference: InferenceSettings, rerank: RerankSettings | None, *, feature: str, metric: str
) -> dict[str, Any]:
    """Return the TEST keys and values from which build_evaluation builds exactly these settings."""
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
        keys |= _rerank_keys(rerank)
    return {f"TEST.{key}": value for key, value in keys.items()}


def _filled_in(test: CfgNode) -> CfgNode:
    """Return a copy of the section with the values of its preset filled in.

    Raises:
        ValueError: the preset is unknown, or one of its keys was set to another value.
    """
    if test.PRESET == "none":
        return test
    if test.PRESET not in PRESETS:
        raise ValueError(f"unknown preset {test.PRESET!r}: expected none or one of {', '.join(PRESETS)}")
    defaults, filled = default_config().TEST, test.clone()
    filled.defrost()
    for key, value in _preset_keys(test.PRESET).items():
        section, _, name = key.rpartition(".")
        node, own, default = ((at[section] if section else at) for at in (filled, test, defaults))
        if own[name] not in (default[name], value):
            raise ValueError(
                f"TEST.PRESET {test.PRESET} sets TEST.{key} to {value}, but it is {own[name]}: leave one of "
                "them out"
            )
        node[name] = value
    return filled


def _preset_keys(name: str) -> dict[str, Any]:
    preset = PRESETS[name]
    keys = {"RERANK.ENABLED": True, **_rerank_keys(preset.rerank)}
    inference = preset.inference
    if inference.mixing is not None:
        keys["FEATURE"] = "before_neck"  # mixing, slope and beta act before the neck
        keys |= {"MIXING": inference.mixing, "SLOPE": inference.slope, "BETA": inference.beta}
    return {**keys, "METRIC": "euclidean"} if inference.beta else keys


def _rerank_keys(rerank: RerankSettings) -> dict[str, Any]:
    return {
        "RERANK.K1": rerank.k1,
        "RERANK.K2": rerank.k2,
        "RERANK.LAMBDA": rerank.lambda_value,
        "RERANK.DOUBLED_POOL": rerank.doubled_pool,
    }
