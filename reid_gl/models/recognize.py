"""Tell by names and shapes of tensors which public network a file holds."""

from __future__ import annotations

import re

import torch

from reid_gl.models.backbones import OSNETS, import_torchreid_models
from reid_gl.models.fastreid import EXPONENT, NON_LOCAL, RESNEST
from reid_gl.models.public_weights import PUBLIC_WEIGHTS, PublicWeights
from reid_gl.models.solider import FIRST_TENSOR, SEMANTIC_TENSOR
from reid_gl.models.state_names import Tensors, shown_names

DEPTHS = {
    ((2, 2, 2, 2), False): "resnet18",
    ((3, 4, 6, 3), False): "resnet34",
    ((3, 4, 6, 3), True): "resnet50",
    ((3, 4, 23, 3), True): "resnet101",
    ((3, 8, 36, 3), True): "resnet152",
}
"""ResNets by the blocks of their stages, and whether a block has three convolutions."""
OSNET_WIDTHS = {512: "x1_0", 384: "x0_75", 256: "x0_5", 128: "x0_25"}
TRANSREID = {(768, 12): "vit_base", (384, 12): "deit_small"}
"""TransReID's plain transformers by width and number of blocks."""
SOLIDER = {(96, 6): "swin_tiny", (96, 18): "swin_small", (128, 18): "swin_base"}
"""SOLIDER's transformers by width and number of blocks of the third stage."""
GIVE = "give the architecture"


class UnknownWeightsError(ValueError):
    """Tensors of a network that is not recognised."""


def recognize(tensors: Tensors, source: str) -> PublicWeights:
    """Return what is known of the network that tensors belong to.

    Args:
        tensors: by their names in the file, without prefixes of wrappers.
        source: the file, for messages.

    Raises:
        UnknownWeightsError: they are not those of a known network.
        ValueError: they fit two networks, or one whose features cannot be computed here.
    """
    found = _candidates(tensors, source)
    if not found:
        raise UnknownWeightsError(
            f"{source} is not recognised, it has {shown_names(tensors)}: {GIVE}, such as 'osnet_x1_0'; "
            "reid-gl weights list shows what is recognised"
        )
    if len(found) > 1:
        raise ValueError(
            f"{source} fits {len(found)} networks, {' and '.join(found)}, and its tensors do not say which: "
            f"{GIVE}"
        )
    return find_public(found[0])


def find_public(architecture: str) -> PublicWeights:
    """Return an entry of PUBLIC_WEIGHTS by its architecture; KeyError if there is none."""
    return {known.architecture: known for known in PUBLIC_WEIGHTS}[architecture]


def _candidates(tensors: Tensors, source: str) -> list[str]:
    names = [known.architecture for known in PUBLIC_WEIGHTS]
    if any(name.startswith("heads.") for name in tensors):
        backbone = _resnet_of(tensors, "backbone.")
        found = [f"fastreid_{recipe}_{backbone}" for recipe in _recipes(tensors, backbone)]
    elif "base.cls_token" in tensors:
        found = [f"transreid_{_transformer_of(tensors, source)}"]
    elif FIRST_TENSOR in tensors:
        found = [f"solider_{_swin_of(tensors, source)}"]
    elif any(name.startswith("base.layer") for name in tensors):
        found = [f"bagtricks_{_resnet_of(tensors, 'base.')}"] if "bottleneck.weight" in tensors else []
    else:
        return _torchreid_networks(tensors)
    return [name for name in found if name in names]


def _resnet_of(tensors: Tensors, prefix: str) -> str:
    """Return the name of a ResNet; "" for another network."""
    blocks = {found.groups() for name in tensors if (found := re.match(rf"{prefix}layer(\d)\.(\d+)\.", name))}
    counts = tuple(sum(stage == str(number) for stage, _ in blocks) for number in (1, 2, 3, 4))
    first = f"{prefix}layer1.0"
    name = DEPTHS.get((counts, f"{first}.conv3.weight" in tensors), "")
    if f"{first}.conv2.fc1.weight" in tensors:
        return RESNEST if name == "resnet50" else ""
    if any(part in other for other in tensors for part in (".se.", ".se_module.")):
        return ""
    return f"{name}_ibn_a" if f"{first}.bn1.IN.weight" in tensors else name


def _recipes(tensors: Tensors, backbone: str) -> list[str]:
    """Return the settings of fast-reid that have these layers; bot and agw of a ResNeSt have the same."""
    has_exponent = any(EXPONENT.fullmatch(name) for name in tensors)
    has_attention = any(NON_LOCAL.fullmatch(name) for name in tensors)
    if backbone == RESNEST:
        return ["sbs"] if has_exponent else ["bot", "agw"]
    if has_attention:
        return ["sbs" if has_exponent else "agw"]
    return [] if has_exponent else ["bot"]


def _transformer_of(tensors: Tensors, source: str) -> str:
    """Return the name of TransReID's transformer; "" for another one."""
    for part, meaning in (("base.sie_embed", "an embedding of the camera"), ("b1.0.norm1.weight", "JPM")):
        if part in tensors:
            raise ValueError(
                f"{source} is TransReID with {meaning}, which is not supported: only its plain transformer is"
            )
    depth = len({name.split(".")[2] for name in tensors if name.startswith("base.blocks.")})
    return TRANSREID.get((tensors["base.cls_token"].shape[-1], depth), "")


def _swin_of(tensors: Tensors, source: str) -> str:
    """Return the name of SOLIDER's transformer; "" for another one."""
    if SEMANTIC_TENSOR not in tensors or "fcneck.weight" in tensors:
        difference = "with a smaller feature" if "fcneck.weight" in tensors else "without its semantic layers"
        raise ValueError(f"{source} is SOLIDER's Swin transformer {difference}, which is not supported")
    blocks = {name.split(".")[4] for name in tensors if name.startswith("base.stages.2.blocks.")}
    return SOLIDER.get((tensors[FIRST_TENSOR].shape[0], len(blocks)), "")


def _torchreid_networks(tensors: Tensors) -> list[str]:
    """Return the networks of torchreid's zoo with exactly these tensors, besides the classifier's."""
    shapes = _shapes(tensors)
    last = tensors.get("conv5.conv.weight")
    if last is not None and last.ndim == 4:
        width = OSNET_WIDTHS.get(last.shape[0], "?")
        candidates = [name for name in OSNETS if name.endswith(f"_{width}")]
    else:
        of_zoo = [known.architecture for known in PUBLIC_WEIGHTS if known.project == "torchreid"]
        candidates = [name for name in of_zoo if name not in OSNETS]
    fitting = [name for name in candidates if _shapes(_torchreid_tensors(name)) == shapes]
    has_classifier = any(name.startswith("classifier") for name in tensors)
    if fitting == ["resnet50"] and not has_classifier:
        return [*fitting, "timm:resnet50"]  # without the last layer's name, the same tensors
    return fitting


def _torchreid_tensors(name: str) -> Tensors:
    with torch.device("meta"):
        models = import_torchreid_models()
        return dict(models.build_model(name, num_classes=1, pretrained=False, use_gpu=False).state_dict())


def _shapes(tensors: Tensors) -> dict[str, tuple[int, ...]]:
    return {
        name: tuple(value.shape)
        for name, value in tensors.items()
        if not name.startswith("classifier") and not name.endswith("num_batches_tracked")
    }
