"""The network, its losses and the training loop that an experiment describes."""

from __future__ import annotations

import logging
from dataclasses import replace

import torch
from torch import nn

from reid_gl.config import Experiment
from reid_gl.device import choose_device, choose_precision
from reid_gl.losses import LOSSES, LossTerm, WeightedSum, make_loss
from reid_gl.losses.group_settings import OTHERS
from reid_gl.models import ReidNet, load_backbone_weights
from reid_gl.models.timm_backbones import is_timm, timm_normalization
from reid_gl.training.fit import FitSettings

logger = logging.getLogger(__name__)


def make_net(experiment: Experiment, num_classes: int, *, pretrained: bool = True) -> ReidNet:
    """Make the network (channels last, on the CPU); its backbone gets the initial weights if `pretrained`."""
    net = ReidNet(replace(experiment.net, num_classes=num_classes))
    if pretrained and experiment.pretrained != "none":
        count = load_backbone_weights(net, experiment.pretrained)
        logger.info("the backbone starts from %s (%d tensors)", experiment.pretrained, count)
        _compare_normalization(experiment)
    return net.to(memory_format=torch.channels_last)


def _compare_normalization(experiment: Experiment) -> None:
    """Warn if timm's weights were trained with another normalisation than that of INPUT."""
    backbone, ours = experiment.net.backbone, experiment.preprocessing
    if not is_timm(backbone):
        return
    theirs = timm_normalization(backbone)
    if (ours.mean, ours.std) != (theirs.mean, theirs.std):
        logger.warning(
            "%s was trained with INPUT.MEAN %s INPUT.STD %s, the configuration has %s and %s",
            backbone,
            *(list(values) for values in (theirs.mean, theirs.std, ours.mean, ours.std)),
        )


def make_losses(experiment: Experiment, num_classes: int, num_features: int) -> WeightedSum:
    """Make the weighted sum of the losses in LOSS.NAMES; no other loss is made.

    Args:
        experiment: the losses and their settings.
        num_classes: C, the number of training identities.
        num_features: D of the network's embeddings.

    Raises:
        ValueError: a name is unknown, or a setting is out of range.
    """
    losses = experiment.losses
    if "group" in losses.weights:
        _check_partners(experiment)
    terms = []
    for name, weight in losses.weights.items():
        loss = make_configured_loss(experiment, name, num_classes, num_features)
        section = losses.sections[name]
        terms.append(LossTerm(name, loss, weight, section.feature, section.lr_factor))
    return WeightedSum(terms)


def _check_partners(experiment: Experiment) -> None:
    """Check that leave-one-out Group Loss gets batches with at least two identities and two images of each.

    The loss needs another image of the same identity to vote and a second identity to compete with.
    """
    anchors = experiment.losses.sections["group"].settings["anchors_per_class"]
    shape = experiment.batches.num_identities, experiment.batches.num_images
    if anchors == OTHERS and min(shape) < 2:
        raise ValueError(
            "LOSS.GROUP.ANCHORS_PER_CLASS others needs at least 2 identities and 2 images of each in a "
            f"batch, got SOLVER.IDENTITIES_PER_BATCH {shape[0]} and SOLVER.IMAGES_PER_IDENTITY {shape[1]}"
        )


def make_configured_loss(experiment: Experiment, name: str, num_classes: int, num_features: int) -> nn.Module:
    """Make a loss with its settings from LOSS; it need not be in LOSS.NAMES.

    Raises:
        ValueError: the name is unknown, or a setting is out of range.
    """
    section = experiment.losses.sections.get(name)
    if section is None and name in LOSSES:
        raise ValueError(
            f"the configuration has no section LOSS.{name.upper()}: call register_loss({name!r}, ...) before "
            "the configuration is read"
        )
    settings = {} if section is None else section.settings
    return make_loss(name, num_classes=num_classes, num_features=num_features, **settings)


def fit_on_this_machine(experiment: Experiment) -> FitSettings:
    """Return the settings of the training loop, with the device and the number format of this machine.

    Raises:
        ValueError: the machine does not have the device, or the device not the format.
    """
    device = choose_device(experiment.device)
    step = replace(experiment.fit.step, dtype=choose_precision(experiment.precision, device))
    return replace(experiment.fit, device=device, step=step)
