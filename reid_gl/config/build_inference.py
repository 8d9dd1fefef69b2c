"""From the TEST section to how features are made, compared and re-ranked."""

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
    """Keyword arguments of reid_gl.inference.evaluate, without the preprocessing.

    Raises:
        ValueError: a value out of range, or switches that do not go together, or with the preset.
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
    """Everything that would otherwise come to light after hours of training."""
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
    """Keyword arguments of reid_gl.inference.evaluate: further pictures of the queries, if they are wanted.

    Raises:
        ValueError: as build_evaluation.
        FileNotFoundError: the data set has no such pictures.
    """
    _check_choices(config.TEST)
    pooling = config.TEST.MULTI_QUERY
    if pooling == "none":
        return {}
    return {"extra_queries": load_multi_query(config.DATA.ROOT), "query_pooling": pooling}


def build_strategies(config: CfgNode) -> Strategies:
    """The feature and the test-time strategies, as checkpoints keep them.

    Raises:
        ValueError: as build_evaluation.
    """
    evaluation = build_evaluation(config)
    return Strategies(evaluation["feature"], evaluation["inference"])


def inference_overrides(
    inference: InferenceSettings, rerank: RerankSettings | None, *, feature: str, metric: str
) -> dict[str, Any]:
    """The keys under TEST, and their values, from which build_evaluation makes these settings."""
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
    """The section with what its preset says.

    Raises:
        ValueError: unknown preset, or one of its keys was set to something else.
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
        keys["FEATURE"] = "before_neck"  # where mixing and the rest act
        keys |= {"MIXING": inference.mixing, "SLOPE": inference.slope, "BETA": inference.beta}
    return {**keys, "METRIC": "euclidean"} if inference.beta else keys


def _rerank_keys(rerank: RerankSettings) -> dict[str, Any]:
    return {
        "RERANK.K1": rerank.k1,
        "RERANK.K2": rerank.k2,
        "RERANK.LAMBDA": rerank.lambda_value,
        "RERANK.DOUBLED_POOL": rerank.doubled_pool,
    }
