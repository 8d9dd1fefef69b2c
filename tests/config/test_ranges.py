"""Every number of every setting has a range, and out of it is refused before anything is made."""

from __future__ import annotations

from typing import Any

import pytest
from yacs.config import CfgNode

from reid_gl.config import ConfigError, default_config, load_config
from reid_gl.config.ranges import RANGES


def numeric_defaults(config: CfgNode, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, CfgNode):
            found |= numeric_defaults(value, f"{prefix}{key}.")
        first = value[0] if isinstance(value, list) else value
        if isinstance(first, int | float) and not isinstance(first, bool):
            found[prefix + key] = value
    return found


NUMBERS = numeric_defaults(default_config())
MAY_BE_NEGATIVE = {
    *("TEST.MIXING", "LOSS.GROUP.SIMILARITY_SCALE", "LOSS.RANKED_LIST.BALANCE"),  # off
    *("LOSS.MULTI_SIMILARITY.EPSILON",),
    "DATA.MIN_DETECTION_SCORE",  # detectors may have any scale
}
COSINES = {key for key, allowed in RANGES.items() if (allowed.low, allowed.high) == (-1, 1)}
ZERO_IS_NONSENSE = {
    *("INPUT.SIZE", "INPUT.STD", "INPUT.ERASE_AREA", "INPUT.ERASE_ASPECT", "MODEL.LAST_STRIDE"),
    *("MODEL.GEM_EXPONENT", "LOSS.GROUP.NUM_STEPS", "LOSS.GROUP.TEMPERATURE", "SOLVER.NUM_EPOCHS"),
    *("SOLVER.IDENTITIES_PER_BATCH", "SOLVER.IMAGES_PER_IDENTITY", "SOLVER.BASE_LR", "SOLVER.MILESTONES"),
    *("SOLVER.BACKBONE_LR_FACTOR", "SOLVER.GAMMA", "SOLVER.WARMUP_FACTOR", "SOLVER.CHECKPOINT_EVERY"),
    *("TEST.NUM_CROPS", "TEST.BATCH_SIZE", "TEST.RERANK.K1", "TEST.RERANK.K2"),
    *(key for key in NUMBERS if key.startswith("LOSS.") and key.endswith(("ALPHA", "BETA", "LR_FACTOR"))),
    *(f"LOSS.{name}.SCALE" for name in ("CIRCLE", "ARCFACE", "COSFACE", "CIRCLE_CLASSIFIER")),
    "LOSS.SUPERVISED_CONTRASTIVE.TEMPERATURE",
}
AT_MOST_ONE = {
    *("DATA.HOLDOUT", "INPUT.MEAN", "INPUT.STD", "INPUT.FLIP", "INPUT.ERASE", "MODEL.MIXED_WEIGHT"),
    *("LOSS.CROSS_ENTROPY.LABEL_SMOOTHING", "SOLVER.MOMENTUM", "SOLVER.GAMMA", "SOLVER.FINAL_FACTOR"),
    *("SOLVER.WARMUP_FACTOR", "SOLVER.EMA_DECAY", "TEST.MIXING", "TEST.SLOPE", "TEST.RERANK.LAMBDA"),
}


def write(key: str, number: str) -> list[str]:
    """The override, as long a list as the default is."""
    default = NUMBERS[key]
    return [key, f"[{', '.join([number] * len(default))}]" if isinstance(default, list) else number]


def test_every_number_has_a_range_and_the_default_lies_in_it() -> None:
    assert RANGES.keys() == NUMBERS.keys()
    assert RANGES.keys() >= MAY_BE_NEGATIVE | ZERO_IS_NONSENSE | AT_MOST_ONE
    load_config()


@pytest.mark.parametrize("word", ["nan", "inf", "-inf", "1e999"])
def test_what_is_no_number(word: str) -> None:
    for key in NUMBERS:
        with pytest.raises(
            ConfigError, match=rf"config key {key} in the command line must be .*number.*'{word}'"
        ):
            load_config(None, write(key, word))


def test_negative_numbers() -> None:
    for key in MAY_BE_NEGATIVE:
        load_config(None, write(key, "-2"))
    for key in NUMBERS.keys() - MAY_BE_NEGATIVE:
        with pytest.raises(ConfigError, match=rf"^{key} must (be|lie in) .*got \[?-2"):
            load_config(None, write(key, "-2"))
    for key in COSINES:
        load_config(None, write(key, "-1"))


def test_zero() -> None:
    for key in NUMBERS.keys() - ZERO_IS_NONSENSE:
        load_config(None, write(key, "0"))
    for key in ZERO_IS_NONSENSE:
        with pytest.raises(ConfigError, match=rf"^{key} must (be|lie in) .*got \[?0"):
            load_config(None, write(key, "0"))


def test_shares() -> None:
    for key in AT_MOST_ONE:
        with pytest.raises(ConfigError, match=rf"^{key} must (be at most|lie in .*) 1.*got \[?1.5"):
            load_config(None, write(key, "1.5"))


@pytest.mark.parametrize(("key", "word"), [("SEED", "1" + "0" * 30), ("MODEL.LAST_STRIDE", "3")])
def test_beyond_the_largest(key: str, word: str) -> None:
    with pytest.raises(ConfigError, match=rf"^{key} must .*got {word}"):
        load_config(None, [key, word])


def test_numbers_that_no_machine_can_count_to() -> None:
    for key, value in NUMBERS.items():
        if isinstance(value[0] if isinstance(value, list) else value, int):
            with pytest.raises(ConfigError, match=rf"^{key} must .*got \[?9{{30}}"):
                load_config(None, write(key, "9" * 30))


def test_one_number_of_a_list() -> None:
    with pytest.raises(ConfigError, match=r"INPUT.STD must lie in \(0, 1\], of pixels in \[0, 1\], got \[58"):
        load_config(None, ["INPUT.STD", "[58.4, 0.2, 0.2]"])
    with pytest.raises(ConfigError, match=r"INPUT.MEAN must lie in \[0, 1\]"):
        load_config(None, ["INPUT.MEAN", "[123.7, 116.3, 103.5]"])


@pytest.mark.parametrize(
    "key", ["INPUT.SIZE", "INPUT.MEAN", "INPUT.STD", "INPUT.CROP_AREA", "INPUT.ERASE_AREA"]
)
def test_lists_of_another_length(key: str) -> None:
    for words in ("[]", "[1]", "[1, 1, 1, 1]"):
        with pytest.raises(ConfigError, match=rf"^{key} must have {len(NUMBERS[key])} numbers, got \["):
            load_config(None, [key, words])
