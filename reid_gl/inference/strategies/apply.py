"""The one place where test-time strategies are applied to a network.

Scoring, extraction, FeatureExtractor and exports all run the module that `apply_strategies` returns, so a
network gives the same features wherever it is used. A new strategy takes a field of InferenceSettings and a
step in `apply_strategies`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.strategies.feature import feature_of
from reid_gl.inference.strategies.pooling_statistics import SwitchedPooling, refusal
from reid_gl.inference.strategies.settings import PLAIN, InferenceSettings, beta_normalize
from reid_gl.inference.strategies.views import AveragedViews, enlarged
from reid_gl.models import ReidNet
from reid_gl.records import TEST_FEATURES

KEY = "inference"
"""Entry of a checkpoint that holds its Strategies."""


@dataclass(frozen=True)
class Strategies:
    """The feature that is compared and how it is made; checkpoints keep them beside the preprocessing.

    Attributes:
        feature: "before_neck", "after_neck" or "concatenated".
        settings: pooling, views and normalisation.
    """

    feature: str = "after_neck"
    settings: InferenceSettings = PLAIN

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as checkpoints keep them."""
        return {"feature": self.feature, **asdict(self.settings)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Strategies:
        """What to_dict gave.

        Raises:
            ValueError: an entry is missing, unknown or out of range.
        """
        others = dict(values)
        try:
            return cls(str(others.pop("feature")), InferenceSettings(**others))
        except (KeyError, TypeError) as error:
            raise ValueError(f"test-time strategies cannot be read from {dict(values)}: {error}") from None


def apply_strategies(net: nn.Module, strategies: Strategies, preprocessing: Preprocessing) -> nn.Module:
    """A module from normalised images to the feature that is compared.

    Args:
        net: from images (N, 3, H, W) to a tensor (N, D) or a ReidOutput; mixing and slope need a ReidNet.
        strategies: what to apply.
        preprocessing: of the network; the module takes images prepared by `input_preprocessing`.

    Returns:
        A module from images to (N, D) float32, in the mode of the network.

    Raises:
        ValueError: unknown feature, or a strategy that cannot act on it or in this network.
    """
    feature, settings = strategies.feature, strategies.settings
    if feature not in TEST_FEATURES:
        raise ValueError(f"unknown feature {feature!r}: expected one of {', '.join(TEST_FEATURES)}")
    if reason := refusal(net, feature, settings):
        raise ValueError(reason)
    if isinstance(net, ReidNet) and settings.changes_pooling:
        net = SwitchedPooling(net, settings)
    if settings.num_crops > 1 or settings.flip:
        net = AveragedViews(net, preprocessing, num_crops=settings.num_crops, flip=settings.flip)
    return _ComparedFeature(net, feature, settings.beta)


def input_preprocessing(preprocessing: Preprocessing, settings: InferenceSettings) -> Preprocessing:
    """How images are prepared for a network under these settings: larger where several crops are cut out."""
    return enlarged(preprocessing) if settings.num_crops > 1 else preprocessing


class _ComparedFeature(nn.Module):
    """The last step: choose the feature (N, D) of a network's output and normalise it with beta."""

    def __init__(self, net: nn.Module, feature: str, beta: float) -> None:
        super().__init__()
        self.net, self.feature, self.beta = net, feature, beta

    def forward(self, images: Tensor) -> Tensor:
        features = feature_of(self.net(images), self.feature)
        return beta_normalize(features, self.beta) if self.beta else features
