from __future__ import annotations

import pytest

from reid_gl.config import inference_overrides, load_experiment
from reid_gl.config.experiment import Scoring
from reid_gl.evaluation import RerankSettings
from reid_gl.inference.strategies.settings import PLAIN, PRESETS, InferenceSettings


def build_with(*words: str) -> Scoring:
    return load_experiment(None, words).scoring


def test_by_default_nothing_is_on() -> None:
    settings = build_with()
    assert (settings.inference, settings.rerank) == (PLAIN, None)
    assert (settings.feature, settings.metric) == ("after_neck", "cosine")


def test_switches_arrive() -> None:
    words = ["TEST.MIXING", "0", "TEST.SLOPE", "0.25", "TEST.BETA", "1e-3", "TEST.METRIC", "euclidean"]
    words += ["TEST.FEATURE", "before_neck"]
    words += [
        "TEST.FLIP",
        "True",
        "TEST.NUM_CROPS",
        "5",
        "TEST.RERANK.ENABLED",
        "True",
        "TEST.RERANK.K1",
        "9",
    ]
    settings = build_with(*words)
    assert settings.inference == InferenceSettings(0.0, 0.25, 0.001, True, 5)
    assert settings.rerank == RerankSettings(9, 6, 0.3)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_all_it_says(name: str) -> None:
    settings = build_with("TEST.PRESET", name)
    assert (settings.inference, settings.rerank) == (PRESETS[name].inference, PRESETS[name].rerank)
    expected = ("after_neck", "cosine") if name == "person" else ("before_neck", "euclidean")
    assert (settings.feature, settings.metric) == expected


def test_what_a_preset_leaves_open_may_be_set() -> None:
    settings = build_with("TEST.PRESET", "cub", "TEST.FLIP", "True", "TEST.RERANK.MAX_MEMORY_GB", "2")
    assert settings.inference.flip
    assert settings.max_memory_gb == 2
    words = ["TEST.PRESET", "person", "TEST.MIXING", "0.5", "TEST.METRIC", "euclidean"]
    words += ["TEST.FEATURE", "before_neck"]
    people = build_with(*words)
    assert (people.inference.mixing, people.metric) == (0.5, "euclidean")
    assert build_with("TEST.PRESET", "cub", "TEST.MIXING", "0.5").inference.mixing == 0.5  # the same


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["TEST.SLOPE", "0.5"], r"TEST.PRESET cars sets TEST.SLOPE to 0.0, but it is 0.5: leave one"),
        (["TEST.RERANK.K2", "7"], r"TEST.PRESET cars sets TEST.RERANK.K2 to 20, but it is 7"),
        (["TEST.FEATURE", "concatenated"], "sets TEST.FEATURE to before_neck, but it is concatenated"),
        (["TEST.PRESET", "market"], "unknown preset 'market': expected none or one of cub, cars, sop"),
    ],
)
def test_what_contradicts_a_preset(words: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_with("TEST.PRESET", "cars", *words)


def test_other_mistakes() -> None:
    with pytest.raises(ValueError, match="changes nothing under cosine"):
        build_with("TEST.BETA", "0.1", "TEST.FEATURE", "before_neck")
    with pytest.raises(ValueError, match=r"TEST.NUM_CROPS must be 1 or 5, got 10"):
        build_with("TEST.NUM_CROPS", "10")


@pytest.mark.parametrize("rerank", [None, RerankSettings(7, 3, 0.5)])
def test_settings_and_keys_are_two_ways_to_say_the_same(rerank: RerankSettings | None) -> None:
    inference = InferenceSettings(None, 0.25, 0.001, True, 5)
    keys = inference_overrides(inference, rerank, feature="before_neck", metric="euclidean")
    settings = build_with(*(str(word) for pair in keys.items() for word in pair))
    assert (settings.inference, settings.rerank) == (inference, rerank)
    assert settings.metric == "euclidean"


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("TEST.METRIC", "dot", "TEST.METRIC must be one of cosine, euclidean, got 'dot'"),
        ("TEST.FEATURE", "neck", "TEST.FEATURE must be one of before_neck, after_neck, concatenated"),
        ("TEST.PRECISION", "int8", "TEST.PRECISION must be one of auto, float32, bfloat16, float16"),
        ("TEST.MULTI_QUERY", "sum", "TEST.MULTI_QUERY must be one of none, average, max"),
        ("TEST.CAMERA_FILTER", "maybe", "TEST.CAMERA_FILTER must be one of auto, on, off"),
        ("TEST.BATCH_SIZE", "0", "TEST.BATCH_SIZE must be at least 1, got 0"),
        ("TEST.RERANK.MAX_MEMORY_GB", "-1", "MAX_MEMORY_GB must be at least 0, 0 for no limit, got -1.0"),
    ],
)
def test_what_a_test_would_refuse_is_refused_before(key: str, value: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_with(key, value)
