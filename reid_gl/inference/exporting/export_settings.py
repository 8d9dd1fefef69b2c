"""Settings of an export, and the name of its file."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from pathlib import Path

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exporting.export_boxmot import FOLDER_ENDING
from reid_gl.inference.extractor.embedder import LoadedEmbedder
from reid_gl.inference.extractor.find_weights import results_folder

logger = logging.getLogger(__name__)

SUFFIXES = {"onnx": ".onnx", "openvino": ".xml", "torchscript": ".torchscript"}
PRECISIONS = ("float32", "fp16", "int8")
PROFILES = ("default", "boxmot", "ultralytics")
BOXMOT_NAMES = (
    "resnet50",
    "resnet101",
    "osnet_x1_0",
    "osnet_x0_75",
    "osnet_x0_5",
    "osnet_x0_25",
    "osnet_ibn_x1_0",
    "osnet_ain_x1_0",
)
"""Backbones that both BoxMOT and this project have; before version 25, BoxMOT infers them from file names."""


@dataclass(frozen=True)
class ExportSettings:
    """Settings of an export.

    Attributes:
        format: "onnx", "openvino" or "torchscript".
        precision: "float32", "fp16" or, for OpenVINO, "int8".
        profile: "default" takes images as the network does; "boxmot" too, and adds BoxMOT's metadata;
            "ultralytics" takes square images in [0, 1] and does the rest of the preprocessing inside.
        flip: average the features of an image and its mirror image; takes twice the time.
        square_size: side of the square images of the profile "ultralytics".

    Raises:
        ValueError: unknown values, or values that cannot be combined.
    """

    format: str
    precision: str = "float32"
    profile: str = "default"
    flip: bool = False
    square_size: int = 224

    def __post_init__(self) -> None:
        choices = {"format": tuple(SUFFIXES), "precision": PRECISIONS, "profile": PROFILES}
        for name, known in choices.items():
            if getattr(self, name) not in known:
                raise ValueError(f"unknown {name} {getattr(self, name)!r}: expected {', '.join(known)}")
        if self.precision == "int8" and self.format != "openvino":
            raise ValueError(f"int8 is for OpenVINO files, got format {self.format}: use fp16 or float32")
        if self.square_size < 1:
            raise ValueError(f"square_size is the side of an image in pixels, got {self.square_size}")


def default_name(weights: Path, reference: LoadedEmbedder, settings: ExportSettings) -> Path:
    """Return the file to write: named after the checkpoint, or as the tracker of the profile expects."""
    suffix = SUFFIXES[settings.format]
    words = [weights.stem]
    if settings.profile == "boxmot":
        words = [reference.backbone.replace(":", "_"), reference.trained_on or weights.stem]
    elif settings.profile == "ultralytics":
        words.append(settings.profile)
    if settings.precision != "float32":
        words.append(settings.precision)
    stem = "_".join(words)
    if settings.format == "openvino" and settings.profile != "default":
        # trackers recognise OpenVINO by the folder's name
        return results_folder(weights) / f"{stem}{FOLDER_ENDING}" / f"{stem}{suffix}"
    return results_folder(weights) / f"{stem}{suffix}"


def check_name(out: Path, reference: LoadedEmbedder, settings: ExportSettings) -> None:
    """Refuse a file name, or a network, that the format or the tracker of the profile cannot work with.

    Warn if only BoxMOT from version 25 on can use the file.

    Raises:
        ValueError: the tracker would not read the file, or would feed the network wrong images.
    """
    suffix = SUFFIXES[settings.format]
    if out.suffix != suffix:
        raise ValueError(f"a file of format {settings.format} ends in {suffix}, got {out}")
    if settings.profile != "boxmot":
        return
    taken = reference.preprocessing
    fed = Preprocessing()
    if replace(taken, height=fed.height, width=fed.width) != fed:
        raise ValueError(
            f"BoxMOT feeds images of {replace(fed, height=taken.height, width=taken.width)}, this network "
            f"takes {taken}: hand BoxMOT its features instead, or use the profile default"
        )
    if not any(name in out.name for name in BOXMOT_NAMES):
        logger.warning(
            "BoxMOT before version 25 does not recognise a network in the name %s: give --out a name with "
            "one of %s in it, such as resnet50_market1501%s",
            *(out.name, ", ".join(BOXMOT_NAMES), suffix),
        )
    if taken != fed:
        logger.warning(
            "BoxMOT before version 25 feeds %d x %d pixels, this network takes %d x %d: use version 25",
            *(fed.height, fed.width, taken.height, taken.width),
        )
