"""One file per loss; every loss is called (embeddings, labels, *, logits, anchors, generator)."""

from reid_gl.losses.anchors import choose_anchors
from reid_gl.losses.binomial_deviance import BinomialDevianceLoss, binomial_deviance_loss
from reid_gl.losses.center import CenterLoss, center_loss
from reid_gl.losses.circle_classifier import CircleClassifierLoss, circle_classifier_loss
from reid_gl.losses.cross_entropy import CrossEntropyLoss, cross_entropy_loss
from reid_gl.losses.group import GroupLoss, group_loss
from reid_gl.losses.metric_learning import (
    make_arcface_loss,
    make_circle_loss,
    make_contrastive_loss,
    make_cosface_loss,
    make_lifted_structure_loss,
    make_proxy_anchor_loss,
    make_soft_triplet_loss,
    make_supervised_contrastive_loss,
    make_triplet_loss,
)
from reid_gl.losses.multi_similarity import MultiSimilarityLoss, multi_similarity_loss
from reid_gl.losses.pair_weights import pair_weights
from reid_gl.losses.peer_loss import PeerLoss, value_of_similarity
from reid_gl.losses.ranked_list import RankedListLoss, ranked_list_loss
from reid_gl.losses.registry import LOSSES, SHORT_NAMES, make_loss, register_loss
from reid_gl.losses.replicator import replicator_dynamics
from reid_gl.losses.weighted_sum import LossTerm, WeightedSum

__all__ = [
    "LOSSES",
    "SHORT_NAMES",
    "BinomialDevianceLoss",
    "CenterLoss",
    "CircleClassifierLoss",
    "CrossEntropyLoss",
    "GroupLoss",
    "LossTerm",
    "MultiSimilarityLoss",
    "PeerLoss",
    "RankedListLoss",
    "WeightedSum",
    "binomial_deviance_loss",
    "center_loss",
    "choose_anchors",
    "circle_classifier_loss",
    "cross_entropy_loss",
    "group_loss",
    "make_arcface_loss",
    "make_circle_loss",
    "make_contrastive_loss",
    "make_cosface_loss",
    "make_lifted_structure_loss",
    "make_loss",
    "make_proxy_anchor_loss",
    "make_soft_triplet_loss",
    "make_supervised_contrastive_loss",
    "make_triplet_loss",
    "multi_similarity_loss",
    "pair_weights",
    "ranked_list_loss",
    "register_loss",
    "replicator_dynamics",
    "value_of_similarity",
]
