"""Settings of the test-time strategies, which change features without retraining."""

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
    """Test-time settings of pooling, normalisation and views; the defaults change nothing.

    Attributes:
        mixing: share of max in a mix of max and average pooling, in [0, 1]; None for the trained pooling.
        slope: negative slope of a leaky ReLU in place of the last ReLU, in [0, 1]; 0 is a ReLU, 1 is none.
        beta: weight of the feature added to its unit vector, at least 0; 0 leaves the feature unchanged.
        flip: average the features of the image and of its mirror image.
        num_crops: 1, or 5 for the average over the four corners and the centre of a larger image.

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
"""The network's feature, without any test-time strategy."""


@dataclass(frozen=True)
class Preset:
    """Published settings of features and re-ranking for one data set.

    Attributes:
        inference: settings of the features.
        rerank: settings of re-ranking.
    """

    inference: InferenceSettings
    rerank: RerankSettings


_DOUBLED = RerankSettings(k1=50, k2=20, lambda_value=0.94, doubled_pool=True)
"""Every image is in the pool twice, as query and as gallery: k1 and k2 span about 25 and 10 images."""

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
"""Settings of the Group Loss++ authors' public code, by data set; for persons they only re-rank."""


def beta_normalize(features: Tensor, beta: float) -> Tensor:
    """Add a small multiple of each feature to its unit vector: x / |x| + beta * x.

    Args:
        features: (M, D) floating point; a row of zeros stays zero.
        beta: at least 0.

    Returns:
        (M, D). Compare these by Euclidean distance and do not normalise them again.

    Source:
        Elezi et al., "The Group Loss++", TPAMI 2022, inference strategies.
    """
    return unit_rows(features) + beta * features


def check_comparison(inference: InferenceSettings, *, feature: str, metric: str) -> None:
    """Raise ValueError if a setting does not apply to the feature, or has no effect with the metric."""
    if reason := feature_refusal(inference, feature):
        raise ValueError(reason)
    if inference.beta and metric != "euclidean":
        raise ValueError(
            f"beta-normalisation keeps every feature's direction, so it changes nothing under {metric}: set "
            "TEST.METRIC euclidean, or TEST.BETA 0"
        )


def feature_refusal(inference: InferenceSettings, feature: str) -> str:
    """Return why mixing, slope and beta do not apply to this feature; "" if they do or are off."""
    if feature == "before_neck" or not (inference.changes_pooling or inference.beta):
        return ""
    return (
        "mixing, slope and beta act on the feature before the neck, whose statistics hold for the pooling it "
        f"was trained with only, got {feature}: set TEST.FEATURE before_neck, or switch them off"
    )
