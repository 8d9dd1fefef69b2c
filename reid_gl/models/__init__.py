"""Networks: a backbone, a pooling layer, a neck and a classifier."""

from reid_gl.models.backbones import backbone_names, make_backbone
from reid_gl.models.reid_net import NetSettings, ReidNet
from reid_gl.models.weights import load_backbone_weights, load_net, read_checkpoint

__all__ = [
    "NetSettings",
    "ReidNet",
    "backbone_names",
    "load_backbone_weights",
    "load_net",
    "make_backbone",
    "read_checkpoint",
]
