"""Run the network once and keep statistics from which features follow for every test-time setting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extract import run_network
from reid_gl.inference.strategies.feature import concatenate
from reid_gl.inference.strategies.pooling_statistics import (
    PoolingStatistics,
    combine_statistics,
    refusal,
    trained_mixing,
)
from reid_gl.inference.strategies.settings import InferenceSettings, beta_normalize
from reid_gl.inference.strategies.views import AveragedViews, BothSides, enlarged
from reid_gl.models import ReidNet
from reid_gl.records import TEST_FEATURES, Features, Sample


@dataclass(frozen=True)
class FeatureStatistics:
    """Statistics of M images from one pass of a network.

    Attributes:
        net: the network.
        feature: name of the feature that `features` returns.
        rows: (M, S * P * width) for S sides (the image, its mirror image) and P parts. For "before_neck" the
            parts are those of PoolingStatistics, else the embeddings before and after the neck.
        num_sides: S, 1 or 2.
        num_crops: number of crops over which the parts were averaged.
    """

    net: ReidNet
    feature: str
    rows: Features
    num_sides: int
    num_crops: int

    def features(self, inference: InferenceSettings) -> Features:
        """Compute what extract_features returns with these settings, up to rounding.

        Raises:
            ValueError: a setting does not apply to the feature or the network, or the settings need views
                that the network was not run on.
        """
        if reason := refusal(self.net, self.feature, inference):
            raise ValueError(reason)
        if inference.num_crops != self.num_crops or 1 + inference.flip > self.num_sides:
            raise ValueError(
                f"the network looked at {self.num_crops} of the crops, "
                f"{'with' if self.num_sides > 1 else 'without'} mirror images: it cannot tell the "
                f"features of {inference}"
            )
        values = torch.from_numpy(self.rows.embeddings)
        width = self.net.num_pooled if self.feature == "before_neck" else self.net.num_features
        values = values.view(len(values), self.num_sides, -1, width)  # (M, S, P, width)
        parts = [values[:, side] for side in range(1 + inference.flip)]
        if self.feature == "before_neck":
            mixing = trained_mixing(self.net) if inference.mixing is None else inference.mixing
            pooled = _mean([combine_statistics(part, mixing=mixing, slope=inference.slope) for part in parts])
            result = _project(self.net, pooled)
        else:
            before, after = (_mean([part[:, place] for part in parts]) for place in (0, 1))
            result = after if self.feature == "after_neck" else concatenate(before, after)
        if inference.beta:
            result = beta_normalize(result, inference.beta)
        return replace(self.rows, embeddings=result.numpy())


def extract_statistics(
    net: ReidNet,
    samples: Sequence[Sample],
    *,
    preprocessing: Preprocessing,
    feature: str = "before_neck",
    flip: bool = True,
    num_crops: int = 1,
    **settings: Any,  # noqa: ANN401 - batch_size, num_workers, precision and show_progress of extract_features
) -> FeatureStatistics:
    """Run a network once over samples and keep the statistics for FeatureStatistics.features.

    For "before_neck" this keeps four or five numbers per channel, and twice as many with mirror images:
    1.3 GB for Market-1501 and ResNet-50.

    Args:
        net: the network.
        samples: M images.
        preprocessing: resizing and normalisation that the network was trained with.
        feature: "before_neck", "after_neck" or "concatenated".
        flip: also run on mirror images.
        num_crops: 1 or 5.
        settings: further arguments of extract_features.

    Raises:
        ValueError: see extract_features.
    """
    if feature not in TEST_FEATURES:
        raise ValueError(f"unknown feature {feature!r}: expected one of {', '.join(TEST_FEATURES)}")
    model: nn.Module = _NeckParts(net)
    if feature == "before_neck":
        model = PoolingStatistics(net, keep_trained=trained_mixing(net) is None)
    if num_crops > 1:
        model = AveragedViews(model, preprocessing, num_crops=num_crops)
        preprocessing = enlarged(preprocessing)
    if flip:
        model = BothSides(model)
    rows = run_network(_Flat(model), samples, preprocessing=preprocessing, **settings)
    return FeatureStatistics(net, feature, rows, num_sides=1 + flip, num_crops=num_crops)


class _NeckParts(nn.Module):
    """Map images (N, 3, H, W) to both embeddings (N, 2, D)."""

    def __init__(self, net: ReidNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        output = self.net(images)
        return torch.stack([output.before_neck, output.after_neck], dim=1)


def _project(net: ReidNet, pooled: Tensor) -> Tensor:
    """Map pooled features (M, num_pooled) to embeddings (M, D); input and output are on the CPU."""
    device = next(net.parameters()).device
    with torch.inference_mode():
        embeddings: Tensor = net.projection(pooled.to(device)).cpu()
    return embeddings


class _Flat(nn.Module):
    """Flatten the network's output to one row per image, (N, any)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        rows: Tensor = self.net(images).flatten(1)
        return rows


def _mean(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else (parts[0] + parts[1]) / 2
