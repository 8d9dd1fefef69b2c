"""LOSS: a section for every loss, named like it in upper case; its other keys are the loss's settings.

Two keys are none of the loss's own. FEATURE is the embedding that it sees. Before the neck features are not
negative, so that all cosines start near 1: losses on cosines see after_neck, where the BNNeck has centred
them; those on Euclidean distances see before_neck, as in the strong baseline. LR_FACTOR, of the losses that
learn a vector for each identity, times SOLVER.BASE_LR is the rate of those.
"""

from __future__ import annotations

from typing import Any

from yacs.config import CfgNode


def loss_defaults() -> CfgNode:
    """What is minimised."""
    loss = CfgNode()
    loss.NAMES = ["group", "cross_entropy"]
    loss.WEIGHTS = [1.0, 1.0]  # of the losses, in the same order
    for add in (_add_group_and_classifiers, _add_pair_losses, _add_peers_pair_losses, _add_learned_vectors):
        add(loss)
    return loss


def _add_group_and_classifiers(loss: CfgNode) -> None:
    loss.GROUP = _section()
    loss.GROUP.NUM_STEPS = 2  # replicator updates
    loss.GROUP.TEMPERATURE = 70.0  # divides the logits
    loss.GROUP.ANCHORS_PER_CLASS = 2  # a number, or others: each image is predicted from all others' labels
    loss.GROUP.ANCHOR_CHOICE = "random"  # random | first
    loss.GROUP.SIMILARITY = "pearson"  # pearson | cosine
    loss.GROUP.NEGATIVES = "clip"  # negative similarities: clip them at zero | shift all by the smallest
    loss.GROUP.SIMILARITY_SCALE = -1.0  # s of exp(s (similarity - 1)); -1: similarities as in the paper
    loss.GROUP.SELF_SIMILARITY = True  # an image supports its own belief, as in the authors' code
    loss.GROUP.CLASS_SUBSET = "all"  # identities that compete: all | batch
    loss.GROUP.POSITIVES = "sum"  # with others: votes for the true identity as their sum | geometric mean
    loss.CROSS_ENTROPY = CfgNode()  # sees the logits only
    loss.CROSS_ENTROPY.LABEL_SMOOTHING = 0.1  # share of the target spread over all identities


def _add_pair_losses(loss: CfgNode) -> None:
    """Distances are Euclidean between unit vectors, similarities are cosines."""
    loss.RANKED_LIST = _section("after_neck")
    loss.RANKED_LIST.ALPHA = 1.2  # distance from which negatives are left alone
    loss.RANKED_LIST.MARGIN = 0.4  # positives are left alone below ALPHA - MARGIN
    loss.RANKED_LIST.TEMPERATURE = 10.0  # how much harder negatives weigh more; 0: not at all
    loss.RANKED_LIST.POSITIVE_TEMPERATURE = 0.0  # the same of positives
    loss.RANKED_LIST.NEGATIVE_WEIGHT = 1.0  # of the negatives' part; that of the positives is 1
    loss.RANKED_LIST.BALANCE = -1.0  # 0 to 1: parts weigh 1 - BALANCE and BALANCE instead; -1: off
    loss.MULTI_SIMILARITY = _section("after_neck")
    loss.MULTI_SIMILARITY.ALPHA = 2.0  # sharpness on positives
    loss.MULTI_SIMILARITY.BETA = 40.0  # sharpness on negatives
    loss.MULTI_SIMILARITY.BASE = 0.5  # similarity at which pairs balance
    loss.MULTI_SIMILARITY.EPSILON = 0.1  # similarity by which mining is slack; -1: all pairs, no mining
    loss.BINOMIAL_DEVIANCE = _section("after_neck")
    loss.BINOMIAL_DEVIANCE.ALPHA = 2.0  # slope on positives
    loss.BINOMIAL_DEVIANCE.BETA = 50.0  # slope on negatives
    loss.BINOMIAL_DEVIANCE.BASE = 0.5  # similarity at which a pair costs log 2


def _add_peers_pair_losses(loss: CfgNode) -> None:
    """From pytorch-metric-learning."""
    loss.TRIPLET = _section()
    loss.TRIPLET.MARGIN = 0.3  # Euclidean distance
    loss.TRIPLET.NORMALIZE = False  # distances between unit vectors
    loss.SOFT_TRIPLET = _section()
    loss.SOFT_TRIPLET.NORMALIZE = False  # distances between unit vectors
    loss.CIRCLE = _section("after_neck")
    loss.CIRCLE.MARGIN = 0.25  # similarity
    loss.CIRCLE.SCALE = 128.0  # inverse temperature
    loss.CONTRASTIVE = _section("after_neck")
    loss.CONTRASTIVE.POSITIVE_SIMILARITY = 1.0  # positives below it count
    loss.CONTRASTIVE.NEGATIVE_SIMILARITY = 0.5  # negatives above it count
    loss.LIFTED_STRUCTURE = _section("after_neck")
    loss.LIFTED_STRUCTURE.MARGIN = 0.0  # added to the negatives' similarities
    loss.SUPERVISED_CONTRASTIVE = _section("after_neck")
    loss.SUPERVISED_CONTRASTIVE.TEMPERATURE = 0.1  # divides the similarities


def _add_learned_vectors(loss: CfgNode) -> None:
    """Losses with a vector for each identity."""
    loss.PROXY_ANCHOR = _section("after_neck", lr_factor=100.0)  # as the authors
    loss.PROXY_ANCHOR.MARGIN = 0.1  # similarity
    loss.PROXY_ANCHOR.ALPHA = 32.0  # inverse temperature
    # a centre must keep up with features of about unit size though its identity is in few batches only
    loss.CENTER = _section(lr_factor=100.0)
    # classifiers like the network's own, whose rate is the base rate
    loss.ARCFACE = _section("after_neck", lr_factor=1.0)
    loss.ARCFACE.MARGIN_DEGREES = 28.6
    loss.ARCFACE.SCALE = 64.0  # inverse temperature
    loss.COSFACE = _section("after_neck", lr_factor=1.0)
    loss.COSFACE.MARGIN = 0.35  # similarity
    loss.COSFACE.SCALE = 64.0  # inverse temperature
    loss.CIRCLE_CLASSIFIER = _section("after_neck", lr_factor=1.0)
    loss.CIRCLE_CLASSIFIER.MARGIN = 0.25  # similarity
    loss.CIRCLE_CLASSIFIER.SCALE = 128.0  # inverse temperature


def _section(feature: str = "before_neck", **others: Any) -> CfgNode:  # noqa: ANN401
    section = CfgNode()
    section.FEATURE = feature
    for key, value in others.items():
        section[key.upper()] = value
    return section
