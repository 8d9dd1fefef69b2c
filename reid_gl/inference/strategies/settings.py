"""What can be done to features at test time, without training anything again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.similarity import unit_rows

NUM_CROPS = (1, 5)


@dataclass(frozen=True)
class InferenceSettings:
    """How a picture becomes the feature that is compared; the defaults change nothing.

    Attributes:
        mixing: share of max in max and average pooling, in [0, 1]; None for the pooling trained with.
        slope: of negative numbers in a leaky ReLU instead of the last ReLU, in [0, 1]; 0 is the ReLU, 1 none.
        beta: weight of the feature itself beside its direction, at least 0; 0 leaves the feature as it is.
        flip: average the features of the picture and of its mirror image.
        num_crops: 1, or 5 for the average over the corners and the centre of a larger picture.

    Source:
        mixing, slope, beta: Elezi et al., "The Group Loss++", TPAMI 2022, inference strategies.
    """

    mixing: float | None = None
    slope: float = 0.0
    beta: float = 0.0
    flip: bool = False
    num_crops: int = 1

    def __post_init__(self) -> None:
        if self.mixing is not None and not 0 <= self.mixing <= 1:
            raise ValueError(f"mixing is the share of max pooling, in [0, 1] or None, got {self.mixing}")
        if not 0 <= self.slope <= 1:
            raise ValueError(f"the slope of the leaky ReLU must lie in [0, 1], got {self.slope}")
        if not 0 <= self.beta < math.inf:
            raise ValueError(f"beta must be a number of at least 0, got {self.beta}")
        if self.num_crops not in NUM_CROPS:
            raise ValueError(f"num_crops must be 1 or 5, got {self.num_crops}")

    @property
    def changes_pooling(self) -> bool:
        """Whether mixing or slope is on."""
        return self.mixing is not None or self.slope > 0

    def __str__(self) -> str:
        words = [] if self.mixing is None else [f"mixing {self.mixing:g}"]
        words += [f"{name} {getattr(self, name):g}" for name in ("slope", "beta") if getattr(self, name)]
        words += ["flip"] * self.flip + [f"{self.num_crops} crops"] * (self.num_crops > 1)
        return ", ".join(words)


PLAIN = InferenceSettings()
"""The feature as the network gives it."""


@dataclass(frozen=True)
class Preset:
    """Settings that belong together.

    Attributes:
        inference: how features are made.
        rerank: how they are re-ranked.
    """

    inference: InferenceSettings
    rerank: RerankSettings


_DOUBLED = RerankSettings(k1=50, k2=20, lambda_value=0.94, doubled_pool=True)
"""Every picture is in the pool twice, as query and gallery, so these span about 25 and 10 pictures."""

PRESETS: Mapping[str, Preset] = {
    "cub": Preset(InferenceSettings(mixing=0.5, slope=0.75, beta=0.004), _DOUBLED),
    "cars": Preset(InferenceSettings(mixing=0.5, slope=0.0, beta=0.004), _DOUBLED),
    "sop": Preset(InferenceSettings(mixing=0.6, slope=1.0, beta=0.0005), _DOUBLED),
    "in_shop": Preset(
        InferenceSettings(mixing=0.57, slope=1.0, beta=0.002),
        RerankSettings(k1=6, k2=2, lambda_value=0.4),
    ),
    "person": Preset(InferenceSettings(), RerankSettings(k1=20, k2=6, lambda_value=0.3)),
}
"""The settings of the Group Loss++ authors' public code, by data set; people were re-ranked only."""


def beta_normalize(features: Tensor, beta: float) -> Tensor:
    """The direction of each feature, and a little of its length: x / |x| + beta * x.

    Args:
        features: (M, D) floating point; a row of zeros stays one.
        beta: at least 0.

    Returns:
        (M, D), to be compared by Euclidean distance and not normalised again.

    Source:
        Elezi et al., "The Group Loss++", TPAMI 2022, inference strategies.
    """
    return unit_rows(features) + beta * features


def check_comparison(inference: InferenceSettings, *, feature: str, metric: str) -> None:
    """Raise ValueError where a switch cannot act on that feature, or not under that metric."""
    if reason := feature_refusal(inference, feature):
        raise ValueError(reason)
    if inference.beta and metric != "euclidean":
        raise ValueError(
            f"beta-normalisation keeps every feature's direction, so it changes nothing under {metric}: set "
            "TEST.METRIC euclidean, or TEST.BETA 0"
        )


def feature_refusal(inference: InferenceSettings, feature: str) -> str:
    """Why mixing, slope and beta cannot act on that feature; "" if they can or are off."""
    if feature == "before_neck" or not (inference.changes_pooling or inference.beta):
        return ""
    return (
        "mixing, slope and beta act on the feature before the neck, whose statistics hold for the pooling it "
        f"was trained with only, got {feature}: set TEST.FEATURE before_neck, or switch them off"
    )
