"""Valid ranges of all numbers in a configuration, checked before anything is built."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reid_gl.seeds import NUM_SEEDS


@dataclass(frozen=True)
class Range:
    """The numbers that a key accepts; for a list, each element must be in the range.

    Attributes:
        low: smallest number.
        high: largest number.
        above: exclude low itself.
        below: exclude high itself.
        only: accept only these numbers; empty: no such restriction.
        meaning: explanation that messages append.
    """

    low: float = -math.inf
    high: float = math.inf
    above: bool = False
    below: bool = False
    only: tuple[float, ...] = ()
    meaning: str = ""

    def holds(self, number: float) -> bool:
        """Return whether a number is in the range."""
        if self.only:
            return number in self.only
        is_above = number > self.low if self.above else number >= self.low
        return is_above and (number < self.high if self.below else number <= self.high)

    def __str__(self) -> str:
        meaning = f", {self.meaning}" if self.meaning else ""
        if self.only:
            return f"be {' or '.join(map(str, self.only))}{meaning}"
        if self.high == math.inf:
            return f"be {'greater than' if self.above else 'at least'} {self.low}{meaning}"
        if self.low == -math.inf:
            return f"be at most {self.high}{meaning}"
        return f"lie in {'[('[self.above]}{self.low}, {self.high}{'])'[self.below]}{meaning}"


COUNT, AMOUNT, POSITIVE = Range(1), Range(0), Range(0, above=True)
SHARE, SHARE_NOT_ALL, SHARE_NOT_NONE = Range(0, 1), Range(0, 1, below=True), Range(0, 1, above=True)
COSINE = Range(-1, 1)
ANGLE = Range(0, 180)
OR_OFF = Range(meaning="negative for off")
RANGES = {
    "SEED": Range(0, NUM_SEEDS, below=True),
    "DATA.NUM_WORKERS": Range(0, 1000, meaning="processes"),
    "DATA.HOLDOUT": SHARE_NOT_ALL,
    "DATA.MIN_DETECTION_SCORE": Range(),
    "INPUT.SIZE": COUNT,
    "INPUT.SHORTER_SIDE": AMOUNT,
    "INPUT.MEAN": Range(0, 1, meaning="of pixels in [0, 1]"),
    "INPUT.STD": Range(0, 1, above=True, meaning="of pixels in [0, 1]"),
    "INPUT.FLIP": SHARE,
    "INPUT.PAD": Range(0, 4096, meaning="pixels"),
    "INPUT.CROP_AREA": SHARE,
    "INPUT.ERASE": SHARE,
    "INPUT.ERASE_AREA": SHARE_NOT_NONE,
    "INPUT.ERASE_ASPECT": SHARE_NOT_NONE,
    "INPUT.COLOR_GAIN": AMOUNT,
    "MODEL.LAST_STRIDE": Range(only=(1, 2)),
    "MODEL.MIXED_WEIGHT": SHARE,
    "MODEL.GEM_EXPONENT": POSITIVE,
    "MODEL.EMBEDDING_DIM": Range(0, 100_000),
    "LOSS.WEIGHTS": AMOUNT,
    "LOSS.GROUP.NUM_STEPS": Range(1, 1000),
    "LOSS.GROUP.TEMPERATURE": POSITIVE,
    "LOSS.GROUP.ANCHORS_PER_CLASS": AMOUNT,
    "LOSS.GROUP.SIMILARITY_SCALE": OR_OFF,
    "LOSS.CROSS_ENTROPY.LABEL_SMOOTHING": SHARE_NOT_ALL,
    "LOSS.RANKED_LIST.ALPHA": POSITIVE,
    "LOSS.RANKED_LIST.MARGIN": AMOUNT,
    "LOSS.RANKED_LIST.TEMPERATURE": AMOUNT,
    "LOSS.RANKED_LIST.POSITIVE_TEMPERATURE": AMOUNT,
    "LOSS.RANKED_LIST.NEGATIVE_WEIGHT": AMOUNT,
    "LOSS.RANKED_LIST.BALANCE": Range(high=1, meaning="negative for off"),
    "LOSS.MULTI_SIMILARITY.ALPHA": POSITIVE,
    "LOSS.MULTI_SIMILARITY.BETA": POSITIVE,
    "LOSS.MULTI_SIMILARITY.BASE": COSINE,
    "LOSS.MULTI_SIMILARITY.EPSILON": OR_OFF,
    "LOSS.BINOMIAL_DEVIANCE.ALPHA": POSITIVE,
    "LOSS.BINOMIAL_DEVIANCE.BETA": POSITIVE,
    "LOSS.BINOMIAL_DEVIANCE.BASE": COSINE,
    "LOSS.TRIPLET.MARGIN": AMOUNT,
    "LOSS.CIRCLE.MARGIN": COSINE,
    "LOSS.CIRCLE.SCALE": POSITIVE,
    "LOSS.CONTRASTIVE.POSITIVE_SIMILARITY": COSINE,
    "LOSS.CONTRASTIVE.NEGATIVE_SIMILARITY": COSINE,
    "LOSS.LIFTED_STRUCTURE.MARGIN": AMOUNT,
    "LOSS.SUPERVISED_CONTRASTIVE.TEMPERATURE": POSITIVE,
    "LOSS.PROXY_ANCHOR.MARGIN": COSINE,
    "LOSS.PROXY_ANCHOR.ALPHA": POSITIVE,
    "LOSS.PROXY_ANCHOR.LR_FACTOR": POSITIVE,
    "LOSS.CENTER.LR_FACTOR": POSITIVE,
    "LOSS.ARCFACE.MARGIN_DEGREES": ANGLE,
    "LOSS.ARCFACE.SCALE": POSITIVE,
    "LOSS.ARCFACE.LR_FACTOR": POSITIVE,
    "LOSS.COSFACE.MARGIN": COSINE,
    "LOSS.COSFACE.SCALE": POSITIVE,
    "LOSS.COSFACE.LR_FACTOR": POSITIVE,
    "LOSS.CIRCLE_CLASSIFIER.MARGIN": COSINE,
    "LOSS.CIRCLE_CLASSIFIER.SCALE": POSITIVE,
    "LOSS.CIRCLE_CLASSIFIER.LR_FACTOR": POSITIVE,
    "SOLVER.NUM_EPOCHS": COUNT,
    "SOLVER.IDENTITIES_PER_BATCH": Range(1, 100_000),
    "SOLVER.IMAGES_PER_IDENTITY": Range(1, 100_000),
    "SOLVER.BASE_LR": POSITIVE,
    "SOLVER.BACKBONE_LR_FACTOR": POSITIVE,
    "SOLVER.WEIGHT_DECAY": AMOUNT,
    "SOLVER.MOMENTUM": SHARE_NOT_ALL,
    "SOLVER.MILESTONES": COUNT,
    "SOLVER.GAMMA": SHARE_NOT_NONE,
    "SOLVER.FINAL_FACTOR": SHARE,
    "SOLVER.WARMUP_EPOCHS": AMOUNT,
    "SOLVER.WARMUP_FACTOR": SHARE_NOT_NONE,
    "SOLVER.FREEZE_EPOCHS": AMOUNT,
    "SOLVER.CLIP_NORM": Range(0, meaning="0 for no limit"),
    "SOLVER.MICRO_BATCH": Range(0, meaning="0 for the whole batch"),
    "SOLVER.EMA_DECAY": Range(0, 1, below=True, meaning="0 for no averaging"),
    "SOLVER.CHECKPOINT_EVERY": COUNT,
    "SOLVER.EVALUATE_EVERY": Range(0, meaning="0 for never"),
    "TEST.MIXING": Range(high=1, meaning="negative for the pooling trained with"),
    "TEST.SLOPE": SHARE,
    "TEST.BETA": AMOUNT,
    "TEST.NUM_CROPS": Range(only=(1, 5)),
    "TEST.BATCH_SIZE": COUNT,
    "TEST.RERANK.K1": COUNT,
    "TEST.RERANK.K2": COUNT,
    "TEST.RERANK.LAMBDA": SHARE,
    "TEST.RERANK.MAX_MEMORY_GB": Range(0, meaning="0 for no limit"),
    "COMPARE.NUM_EPOCHS": Range(0, meaning="0 for SOLVER.NUM_EPOCHS"),
}
"""Range of each key. A test fails if a numeric key has no range."""

LARGEST_WHOLE = 10**9
"""Largest whole number of a key without an upper end: more epochs, images or neighbours than anybody has."""

LENGTHS = {"INPUT.SIZE": 2, "INPUT.MEAN": 3, "INPUT.STD": 3, "INPUT.CROP_AREA": 2, "INPUT.ERASE_AREA": 2}
"""Required number of elements in a list."""


def check_ranges(values: Mapping[str, Any]) -> None:
    """Check that every number is in its range and every list has its required length.

    Args:
        values: by key; values that are neither numbers nor lists of numbers are not checked.

    Raises:
        ValueError: a check fails; names the key, the allowed values and the value.
    """
    for key, allowed in RANGES.items():
        value = values[key]
        numbers = value if isinstance(value, list) else [value]
        if not all(isinstance(number, str) or allowed.holds(number) for number in numbers):
            raise ValueError(f"{key} must {allowed}, got {value}")
        whole = [number for number in numbers if isinstance(number, int)]
        if allowed.high == math.inf and max(whole, default=0) > LARGEST_WHOLE:
            raise ValueError(f"{key} must be at most {LARGEST_WHOLE:,}, got {value}")
    for key, length in LENGTHS.items():
        if len(values[key]) != length:
            raise ValueError(f"{key} must have {length} numbers, got {values[key]}")
