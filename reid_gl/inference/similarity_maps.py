"""Where the similarity of two images comes from: Grad-CAM with the similarity as its target."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, leaky_relu

from reid_gl.device import choose_precision
from reid_gl.inference.strategies.feature import feature_of
from reid_gl.inference.strategies.pooling_statistics import refusal, trained_mixing
from reid_gl.inference.strategies.settings import PLAIN, InferenceSettings
from reid_gl.models import ReidNet
from reid_gl.models.backbones import residual_sum
from reid_gl.models.evaluation_mode import evaluation_mode
from reid_gl.models.pooling import MixedPooling


@dataclass(frozen=True, eq=False)
class SimilarityMaps:
    """Maps of N pairs of a query and another image, at the resolution of the network's last feature map.

    Attributes:
        on_query: (N, H', W') float32 at least 0, where in the query the similarity comes from.
        on_others: (N, H', W') float32 at least 0, where in the other image.
        similarities: (N,) float32 cosine of the two features.
    """

    on_query: Tensor
    on_others: Tensor
    similarities: Tensor


def similarity_maps(
    net: nn.Module,
    query: Tensor,
    others: Tensor,
    *,
    feature: str = "after_neck",
    inference: InferenceSettings = PLAIN,
    precision: str = "float32",
) -> SimilarityMaps:
    """Show where in two images their similarity comes from.

    Grad-CAM weights each channel of the last feature map by the mean, over all positions, of the derivative
    of a target, sums the channels with these weights, and sets negative numbers to 0. A network for
    re-identification has no class whose score could be the target, so the target is the cosine of the two
    features: once as a function of the query's feature map, once of the other image's. At a position with a
    large number, more of what is there would make the images more similar.

    The network runs in evaluation mode and its modules are restored afterwards. The gradient does not enter
    the backbone, so the costs are those of the features.

    Args:
        net: a ReidNet with any backbone and pooling.
        query: (3, H, W) normalised image, on the network's device.
        others: (N, 3, H, W) normalised images.
        feature: "before_neck", "after_neck" or "concatenated".
        inference: mixing and slope are applied. Views are not: the maps are those of the whole image alone,
            without its mirror image and crops. Beta does not change a cosine.
        precision: dtype of the backbone's layers: "float32", "bfloat16", "float16" or "auto".

    Returns:
        The maps; their numbers can be compared within a map only.

    Raises:
        ValueError: the network is not a ReidNet, or a setting does not apply to the feature or the network.

    Source:
        Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization",
        ICCV 2017, section 3. They explain the score of a class; the similarity as the target is ours.
    """
    if reason := maps_refusal(net):
        raise ValueError(reason)
    if reason := refusal(net, feature, inference):
        raise ValueError(reason)
    assert isinstance(net, ReidNet)
    device = query.device.type
    dtype = choose_precision(precision, query.device)
    with evaluation_mode(net), torch.inference_mode(mode=False):
        with torch.no_grad(), torch.autocast(device, dtype=dtype, enabled=dtype != torch.float32):
            maps = _last_maps(net, torch.cat([query[None], others]), inference)  # (1 + N, D, H', W')
        pair = [maps[:1].repeat(len(others), 1, 1, 1), maps[1:].clone()]
        with torch.enable_grad():
            rows = [_feature(net, side.requires_grad_(), feature, inference) for side in pair]
            similarities = cosine_similarity(rows[0], rows[1])
            gradients = torch.autograd.grad(similarities.sum(), pair)
    on_query, on_others = (_weighted_sum(*side) for side in zip(pair, gradients, strict=True))
    return SimilarityMaps(on_query, on_others, similarities.detach())


def maps_refusal(net: nn.Module) -> str:
    """Return why a network has no similarity maps; "" if it has them."""
    if isinstance(net, ReidNet):
        return ""
    return (
        "similarity maps need the gradient at the last feature map of a ReidNet, got "
        f"{type(net).__name__}: exported networks (ONNX, OpenVINO, TorchScript) have no gradient, and the "
        "feature map of some other projects' networks is unknown; use the checkpoint of reid-gl train"
    )


def _last_maps(net: ReidNet, images: Tensor, inference: InferenceSettings) -> Tensor:
    images = images.contiguous(memory_format=torch.channels_last)
    if inference.slope:
        return leaky_relu(residual_sum(net.backbone, images).float(), inference.slope)
    maps: Tensor = net.backbone(images)
    return maps.float()


def _feature(net: ReidNet, maps: Tensor, feature: str, inference: InferenceSettings) -> Tensor:
    """Return the feature (N, D) of last feature maps (N, D', H', W')."""
    pooling = net.pooling
    if inference.changes_pooling:
        mixing = trained_mixing(net) if inference.mixing is None else inference.mixing
        assert mixing is not None
        pooling = MixedPooling(mixing)
    return feature_of(net.head(pooling(maps)), feature)


def _weighted_sum(maps: Tensor, gradients: Tensor) -> Tensor:
    weights = gradients.mean(dim=(2, 3), keepdim=True)
    return (weights * maps.detach()).sum(dim=1).clamp_min(0)  # (N, H', W')
