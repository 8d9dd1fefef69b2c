"""One file per loss; every loss is called (embeddings, labels, *, logits, anchors, generator)."""

from reid_gl.losses.cross_entropy import CrossEntropyLoss, cross_entropy_loss
from reid_gl.losses.group import GroupLoss, choose_anchors, group_loss, replicator_dynamics
from reid_gl.losses.weighted_sum import LossTerm, WeightedSum

__all__ = [
    "CrossEntropyLoss",
    "GroupLoss",
    "LossTerm",
    "WeightedSum",
    "choose_anchors",
    "cross_entropy_loss",
    "group_loss",
    "replicator_dynamics",
]
