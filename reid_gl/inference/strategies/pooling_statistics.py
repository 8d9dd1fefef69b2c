"""Statistics from one network pass that give mixed pooling after a leaky ReLU, for any mixing and slope.

A leaky ReLU is monotonic, so its maximum over a map is the leaky ReLU of the map's maximum. Its mean is the
mean of the positive part plus slope times the mean of the negative part. Four numbers per channel are
therefore enough. All later steps are linear in them, so they can be averaged over views.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from reid_gl.inference.strategies.settings import InferenceSettings, feature_refusal
from reid_gl.models import ReidNet
from reid_gl.models.backbones import ends_in_residual_sum, residual_sum

MAX_POSITIVE, MAX_NEGATIVE, MEAN_POSITIVE, MEAN_NEGATIVE, TRAINED = range(5)


class PoolingStatistics(nn.Module):
    """Map images to the positive and negative parts of the maximum and mean of the feature map.

    Args:
        net: the network. Statistics are those of its feature map before the last ReLU. If the backbone does
            not end in a residual sum, they are those of the map itself, stored as its positive parts.
        keep_trained: add the network's own pooled feature, for a pooling that is not a mix of max and mean.
    """

    def __init__(self, net: ReidNet, *, keep_trained: bool = False) -> None:
        super().__init__()
        self.net, self.keep_trained = net, keep_trained

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) to (N, 4 or 5, num_pooled) float32, ordered by the constants."""
        backbone = self.net.backbone
        if ends_in_residual_sum(backbone):
            summed = residual_sum(backbone, images).float()
            maps, parts = summed.clamp_min(0), parts_of(summed)
        else:  # the map that the network pools; it may contain negative values
            maps = backbone(images).float()
            nothing = maps.new_zeros(maps.shape[:2])
            parts = [maps.amax(dim=(2, 3)), nothing, maps.mean(dim=(2, 3)), nothing]
        if self.keep_trained:
            parts.append(self.net.pooling(maps))
        return torch.stack(parts, dim=1)


def parts_of(maps: Tensor) -> list[Tensor]:
    """Map (N, D, H, W) before a ReLU to the positive and negative parts of maximum and mean, (N, D) each."""
    largest = maps.amax(dim=(2, 3))
    means = [part.mean(dim=(2, 3)) for part in (maps.clamp_min(0), maps.clamp_max(0))]
    return [largest.clamp_min(0), largest.clamp_max(0), *means]


class SwitchedPooling(nn.Module):
    """Map images to the feature before the neck, with another mixing and slope.

    The settings must be ones that network_refusal accepts.
    """

    def __init__(self, net: ReidNet, inference: InferenceSettings) -> None:
        super().__init__()
        self.statistics, self.slope = PoolingStatistics(net), inference.slope
        self.mixing = trained_mixing(net) if inference.mixing is None else inference.mixing

    def forward(self, images: Tensor) -> Tensor:
        """Map normalised images (N, 3, H, W) to embeddings (N, D) float32."""
        pooled = combine_statistics(self.statistics(images), mixing=self.mixing, slope=self.slope)
        with torch.autocast(images.device.type, enabled=False):
            embeddings: Tensor = self.statistics.net.projection(pooled)
        return embeddings


def combine_statistics(statistics: Tensor, *, mixing: float | None, slope: float = 0.0) -> Tensor:
    """Compute the feature of mixed pooling after a leaky ReLU from its statistics.

    Args:
        statistics: (M, 4 or 5, D), as returned by PoolingStatistics.
        mixing: share of max pooling; None selects the fifth entry, the pooling used in training.
        slope: slope of the leaky ReLU; ignored if mixing is None.

    Returns:
        (M, D).
    """
    if mixing is None:
        return statistics[:, TRAINED]
    largest = statistics[:, MAX_POSITIVE] + slope * statistics[:, MAX_NEGATIVE]
    mean = statistics[:, MEAN_POSITIVE] + slope * statistics[:, MEAN_NEGATIVE]
    return mixing * largest + (1 - mixing) * mean


def trained_mixing(net: ReidNet) -> float | None:
    """Return the share of max pooling in the network's pooling; None if it is not a mix of max and mean."""
    known = {"average": 0.0, "max": 1.0, "mixed": net.settings.mixed_weight}
    return known.get(net.settings.pooling)


def refusal(net: nn.Module, feature: str, inference: InferenceSettings) -> str:
    """Return why the settings do not apply to this feature of this network; "" if they do."""
    return feature_refusal(inference, feature) or network_refusal(net, inference)


def network_refusal(net: nn.Module, inference: InferenceSettings) -> str:
    """Return why mixing and slope do not apply to this network; "" if they do or are off."""
    if not inference.changes_pooling:
        return ""
    if not isinstance(net, ReidNet):
        return f"mixing and slope need a ReidNet, whose feature map is known, got {type(net).__name__}"
    if not inference.slope:
        return ""
    if not ends_in_residual_sum(net.backbone):
        return (
            f"{net.settings.backbone} has no ReLU after a last residual sum that could leak: set TEST.SLOPE 0"
        )
    if inference.mixing is None and trained_mixing(net) is None:
        return (
            f"{net.settings.pooling} pooling is not defined for the negative numbers of a leaky ReLU: set "
            "TEST.MIXING too, or TEST.SLOPE 0"
        )
    return ""
