"""Public weights of other projects: how each network takes its images, where it is published, on what terms.

Every fact is from the project's own configuration, model zoo or licence file. Terms are those of the
project's repository; the data sets that a network was trained on have terms of their own.
"""

from __future__ import annotations

from dataclasses import dataclass

from reid_gl.models.backbones import OSNETS

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALVES = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))


@dataclass(frozen=True)
class PublicWeights:
    """One kind of network that a project publishes.

    Attributes:
        architecture: its name, as FeatureExtractor takes it.
        project: who trained it.
        height: of the network's input in pixels; 0 for the size that the tensors say.
        width: as height.
        kernel: of the project's resize, as Preprocessing names it.
        feature: which feature the project compares, "before_neck" or "after_neck"; without a neck, these are
            the same.
        page: where it is published.
        terms: of the repository.
        colors: mean and standard deviation for RGB in [0, 1].
    """

    architecture: str
    project: str
    height: int
    width: int
    kernel: str
    feature: str
    page: str
    terms: str
    colors: tuple[tuple[float, float, float], tuple[float, float, float]] = IMAGENET


def _torchreid(architecture: str, height: int = 256, width: int = 128) -> PublicWeights:
    page = "https://kaiyangzhou.github.io/deep-person-reid/MODEL_ZOO"
    return PublicWeights(
        architecture, "torchreid", height, width, "antialiased_linear", "after_neck", page, "MIT"
    )


def _fastreid(recipe: str, backbone: str, height: int) -> PublicWeights:
    page = "https://github.com/JDAI-CV/fast-reid/blob/master/MODEL_ZOO.md"
    return PublicWeights(
        f"fastreid_{recipe}_{backbone}",
        "fast-reid",
        height,
        128,
        "antialiased_cubic",
        "after_neck",
        page,
        "Apache-2.0",
    )


def _strong_baseline(backbone: str) -> PublicWeights:
    page = "https://github.com/michuanhaohao/reid-strong-baseline"
    return PublicWeights(
        f"bagtricks_{backbone}",
        "reid-strong-baseline",
        256,
        128,
        "antialiased_linear",
        "after_neck",
        page,
        "MIT",
    )


def _transreid(backbone: str) -> PublicWeights:
    page = "https://github.com/damo-cv/TransReID"
    return PublicWeights(
        f"transreid_{backbone}",
        "TransReID",
        0,
        0,
        "antialiased_linear",
        "before_neck",
        page,
        "MIT",
        HALVES,
    )


def _solider(backbone: str) -> PublicWeights:
    page = "https://github.com/tinyvision/SOLIDER-REID"
    return PublicWeights(
        f"solider_{backbone}",
        "SOLIDER",
        384,
        128,
        "antialiased_linear",
        "before_neck",
        page,
        "MIT",
        HALVES,
    )


PUBLIC_WEIGHTS = (
    *(_torchreid(name) for name in OSNETS),
    *(_torchreid(name) for name in ("resnet50", "resnet50_fc512", "mlfn")),
    *(_torchreid(name) for name in ("mobilenetv2_x1_0", "mobilenetv2_x1_4")),
    _torchreid("hacnn", 160, 64),
    *(_fastreid("bot", name, 256) for name in ("resnet50", "resnet50_ibn_a", "resnet101_ibn_a", "resnest50")),
    *(_fastreid("agw", name, 256) for name in ("resnet50", "resnet50_ibn_a", "resnet101_ibn_a", "resnest50")),
    *(_fastreid("sbs", name, 384) for name in ("resnet50", "resnet50_ibn_a", "resnet101_ibn_a", "resnest50")),
    *(_strong_baseline(name) for name in ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")),
    _strong_baseline("resnet50_ibn_a"),
    _transreid("vit_base"),
    _transreid("deit_small"),
    *(_solider(name) for name in ("swin_tiny", "swin_small", "swin_base")),
)
BOT_SORT = ("fastreid_sbs_resnest50", "https://github.com/NirAharon/BoT-SORT", "MIT")
"""BoT-SORT's mot17_sbs_S50.pth and mot20_sbs_S50.pth are fast-reid's network, published on another page."""
