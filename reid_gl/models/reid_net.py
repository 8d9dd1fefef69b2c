"""The re-identification network: backbone, pooling, neck, classifier."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from reid_gl.models.backbones import feature_map_width, make_backbone
from reid_gl.models.neck import make_neck
from reid_gl.models.pooling import make_pooling
from reid_gl.records import ReidOutput


@dataclass(frozen=True)
class NetSettings:
    """Everything needed to rebuild the network; checkpoints store it.

    Attributes:
        backbone: name of the feature extractor; any name for a custom network.
        num_classes: C, number of training identities.
        last_stride: 1 or 2.
        pooling: "average", "max", "mixed" or "gem".
        mixed_weight: weight of max pooling, for "mixed".
        gem_exponent: initial exponent, for "gem".
        neck: "bnneck" or "none".
        embedding_dim: D, reached by a linear layer after the pooling; 0 keeps the backbone's size, without
            a layer.
    """

    backbone: str
    num_classes: int
    last_stride: int = 1
    pooling: str = "average"
    mixed_weight: float = 0.5
    gem_exponent: float = 3.0
    neck: str = "bnneck"
    embedding_dim: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for checkpoints."""
        return asdict(self)


class ReidNet(nn.Module):
    """Network from images to embeddings and identity logits.

    The backbone may run under autocast; pooling, neck and classifier always use float32.

    Args:
        settings: what to build.
        backbone: a custom network from images (N, 3, H, W) to a feature map (N, D, H', W'); None builds the
            one that settings names. A checkpoint stores its weights but not its code, so `load_net` needs
            the network again.

    Attributes:
        settings: what the network was built from.
        num_pooled: size of the pooled feature.
        num_features: D, size of the embedding.
    """

    def __init__(self, settings: NetSettings, backbone: nn.Module | None = None) -> None:
        super().__init__()
        if settings.num_classes < 1:
            raise ValueError(f"the classifier needs at least one identity, got {settings.num_classes}")
        if settings.embedding_dim < 0:
            raise ValueError(f"the embedding dimension must not be negative, got {settings.embedding_dim}")
        self.settings = settings
        if backbone is None:
            backbone, width = make_backbone(settings.backbone, last_stride=settings.last_stride)
        else:
            width = feature_map_width(backbone)
        self.backbone, self.num_pooled = backbone, width
        self.pooling = make_pooling(
            settings.pooling, mixed_weight=settings.mixed_weight, gem_exponent=settings.gem_exponent
        )
        self.num_features = settings.embedding_dim or self.num_pooled
        self.projection = (
            nn.Linear(self.num_pooled, self.num_features) if settings.embedding_dim else nn.Identity()
        )
        self.neck = make_neck(settings.neck, self.num_features)
        self.classifier = nn.Linear(self.num_features, settings.num_classes, bias=False)
        nn.init.normal_(self.classifier.weight, std=0.001)

    def forward(self, images: Tensor) -> ReidOutput:
        """Map normalised images (N, 3, H, W) to both embeddings (N, D) and logits (N, C)."""
        return self.head(self.pooled(images))

    def pooled(self, images: Tensor) -> Tensor:
        """Backbone and pooling, the expensive part: images (N, 3, H, W) to (N, num_pooled) float32."""
        maps = self.backbone(images)  # (N, num_pooled, H', W')
        pooled: Tensor = self.pooling(maps)
        return pooled

    def head(self, pooled: Tensor) -> ReidOutput:
        """Projection, neck and classifier, the cheap part: (N, num_pooled) to the output, in float32."""
        with torch.autocast(pooled.device.type, enabled=False):
            before_neck = self.projection(pooled)
            after_neck = self.neck(before_neck)
            return ReidOutput(before_neck, after_neck, self.classifier(after_neck))
