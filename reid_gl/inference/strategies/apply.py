"""Apply test-time strategies to a network; all code that applies them uses this module.

Scoring, extraction, FeatureExtractor and exports all run the module that `apply_strategies` returns, so a
network returns the same features everywhere. To add a strategy, add a field to InferenceSettings and a step
to `apply_strategies`.
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
"""Key of the checkpoint entry that contains its Strategies."""


@dataclass(frozen=True)
class Strategies:
    """Which feature is compared and how it is computed; checkpoints store this with the preprocessing.

    Attributes:
        feature: "before_neck", "after_neck" or "concatenated".
        settings: pooling, views and normalisation.
    """

    feature: str = "after_neck"
    settings: InferenceSettings = PLAIN

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values for a checkpoint."""
        return {"feature": self.feature, **asdict(self.settings)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Strategies:
        """Convert back from the result of to_dict.

        Raises:
            ValueError: an entry is missing, unknown or out of range.
        """
        try:
            others = dict(values)
            return cls(str(others.pop("feature")), InferenceSettings(**others))
        except (KeyError, TypeError) as error:
            raise ValueError(f"test-time strategies cannot be read from {values}: {error}") from None


def apply_strategies(net: nn.Module, strategies: Strategies, preprocessing: Preprocessing) -> nn.Module:
    """Wrap a network in a module that maps normalised images to the feature that is compared.

    Args:
        net: maps images (N, 3, H, W) to a tensor (N, D) or a ReidOutput; mixing and slope need a ReidNet.
        strategies: the strategies to apply.
        preprocessing: preprocessing of the network. The returned module expects images prepared with
            `input_preprocessing`.

    Returns:
        A module that maps images to (N, D) float32; the network keeps its mode (training or evaluation).

    Raises:
        ValueError: the feature is unknown, or a strategy does not apply to the feature or the network.
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
    """Return the preprocessing for these settings: larger images if several crops are cut out of them."""
    return enlarged(preprocessing) if settings.num_crops > 1 else preprocessing


class _ComparedFeature(nn.Module):
    """Last step: select the feature (N, D) of a network's output and apply beta-normalisation."""

    def __init__(self, net: nn.Module, feature: str, beta: float) -> None:
        super().__init__()
        self.net, self.feature, self.beta = net, feature, beta

    def forward(self, images: Tensor) -> Tensor:
        features = feature_of(self.net(images), self.feature)
        return beta_normalize(features, self.beta) if self.beta else features
