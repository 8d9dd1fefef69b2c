from __future__ import annotations

import pytest

from reid_gl.config import load_experiment
from reid_gl.config.inference_keys import inference_overrides
from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.inference.strategies.settings import PLAIN, InferenceSettings


@pytest.mark.parametrize("rerank", [None, RerankSettings(k1=7, k2=3, lambda_value=0.1, doubled_pool=True)])
@pytest.mark.parametrize(
    "inference", [PLAIN, InferenceSettings(mixing=0.3, slope=0.1, beta=0.5, flip=True, num_crops=5)]
)
def test_the_keys_are_read_as_these_settings_again(
    inference: InferenceSettings, rerank: RerankSettings | None
) -> None:
    metric = "euclidean" if inference.beta else "cosine"
    keys = inference_overrides(inference, rerank, feature="before_neck", metric=metric)
    words = [str(word) for pair in keys.items() for word in pair]
    scoring = load_experiment(None, ["TEST.FLIP", "True", "TEST.BETA", "0.2", *words]).scoring
    assert (scoring.inference, scoring.rerank) == (inference, rerank)
    assert (scoring.feature, scoring.metric) == ("before_neck", metric)
