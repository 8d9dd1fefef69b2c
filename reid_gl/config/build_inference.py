"""Reads the TEST section: how features are computed, compared and re-ranked."""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode

from reid_gl.config.defaults import RERANK, TEST, default_config
from reid_gl.config.experiment import Scoring
from reid_gl.config.inference_keys import rerank_keys
from reid_gl.config.keys import take
from reid_gl.device import PRECISIONS
from reid_gl.evaluation.multi_query import POOLINGS
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.scores.protocol import CAMERA_FILTERS
from reid_gl.inference.evaluate import evaluate
from reid_gl.inference.strategies.settings import PRESETS, InferenceSettings, check_comparison
from reid_gl.records import TEST_FEATURES
from reid_gl.similarity import METRICS


def build_scoring(config: CfgNode) -> Scoring:
    """Read how features are computed, compared and re-ranked.

    Raises:
        ValueError: a value is out of range, or switches contradict each other or the preset.
    """
    test = _filled_in(config.TEST)
    _check_choices(test)
    inference = InferenceSettings(**take(TEST, test, InferenceSettings))
    check_comparison(inference, feature=test.FEATURE, metric=test.METRIC)
    rerank = RerankSettings(**take(RERANK, test.RERANK, RerankSettings))
    return Scoring(
        inference=inference,
        rerank=rerank if test.RERANK.ENABLED else None,
        num_workers=config.DATA.NUM_WORKERS,
        **take(TEST, test, evaluate),
        **take(RERANK, test.RERANK, evaluate),
    )


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
    keys = {"RERANK.ENABLED": True, **rerank_keys(preset.rerank)}
    inference = preset.inference
    if inference.mixing is not None:
        keys["FEATURE"] = "before_neck"  # mixing, slope and beta act before the neck
        keys |= {"MIXING": inference.mixing, "SLOPE": inference.slope, "BETA": inference.beta}
    return {**keys, "METRIC": "euclidean"} if inference.beta else keys
