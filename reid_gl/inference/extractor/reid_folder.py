"""Folders of Roboflow's `reid`: weights.safetensors and reid_config.json; nothing of it is imported."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.untrusted.json_files import what_is_wrong

CONFIG_FILE, WEIGHTS_FILE = "reid_config.json", "weights.safetensors"
MAX_CONFIG_BYTES = 1_000_000
KERNELS = {"bilinear": "antialiased_linear", "bicubic": "antialiased_cubic"}
"""Names of PIL's interpolations in `reid`, and ours."""
OSNETS = ("osnet_x0_25", "osnet_x0_5", "osnet_x0_75", "osnet_x1_0")
TIMM = "timm:"
TIMM_NAME = re.compile(rf"{TIMM}[a-z0-9_.]{{1,100}}", re.IGNORECASE)
UNUSED_PAD = 114


class _UnsupportedError(ValueError):
    """A configuration that is not supported here."""


@dataclass(frozen=True)
class ReidConfig:
    """The content of reid_config.json.

    Attributes:
        architecture: one of OSNETS, or "timm:" followed by a name of timm's.
        preprocessing: preprocessing of the network's input images.
    """

    architecture: str
    preprocessing: Preprocessing


def config_beside(weights: Path) -> Path | None:
    """Return the configuration that belongs to weights of `reid`; None for other weights."""
    config = weights.with_name(CONFIG_FILE)
    return config if weights.name == WEIGHTS_FILE and config.is_file() else None


def read_reid_config(path: Path) -> ReidConfig:
    """Read a reid_config.json; missing entries get the defaults of `reid`.

    Raises:
        ValueError: the file is not such a file, or describes something that is not supported here.
    """
    if path.stat().st_size > MAX_CONFIG_BYTES:
        raise ValueError(f"{path} has more than {MAX_CONFIG_BYTES:,} bytes: it is no reid_config.json")
    try:
        values = json.loads(path.read_bytes())
        architecture, said = values["architecture"], values.get("preprocessing", {})
        preprocessing = _read_preprocessing(said, path)
    except _UnsupportedError:
        raise
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError) as error:
        raise ValueError(
            f"{path} is no reid_config.json ({what_is_wrong(error)}): expected a JSON object with "
            "architecture and preprocessing, as ReIDModel.save_pretrained writes it"
        ) from None
    if not isinstance(architecture, str) or not (architecture in OSNETS or TIMM_NAME.fullmatch(architecture)):
        raise ValueError(
            f"{path} asks for the network {str(architecture)[:100]!r}, which is not supported: expected "
            f"one of {', '.join(OSNETS)}, or {TIMM}<name>"
        )
    return ReidConfig(architecture, preprocessing)


def _read_preprocessing(said: Mapping[str, Any], path: Path) -> Preprocessing:
    usual = Preprocessing()
    mode, interpolation = said.get("resize_mode", "stretch"), said.get("interpolation", "bilinear")
    if mode != "stretch" or interpolation not in [*KERNELS]:
        raise _UnsupportedError(
            f"{path} resizes by {mode}, {interpolation}: only stretch, with {' or '.join(KERNELS)}, is "
            "supported"
        )
    height, width = said.get("input_size", (usual.height, usual.width))
    mean, std = (tuple(map(float, said.get(key, getattr(usual, key)))) for key in ("mean", "std"))
    is_rgb = said.get("to_rgb", True)
    if not is_rgb:  # in `reid`, frames stay BGR, and so do mean and std; ours are RGB
        mean, std = mean[::-1], std[::-1]
    return Preprocessing(
        int(height),
        int(width),
        KERNELS[interpolation],
        mean,  # type: ignore[arg-type]
        std,  # type: ignore[arg-type]
        channel_order="rgb" if is_rgb else "bgr",
    )


def write_reid_config(path: Path, config: ReidConfig) -> None:
    """Write a reid_config.json.

    Raises:
        ValueError: `reid` does not support this preprocessing.
    """
    taken = config.preprocessing
    names = {ours: theirs for theirs, ours in KERNELS.items()}
    if taken.kernel not in names or taken.shorter_side:
        raise ValueError(
            f"reid resizes by PIL, {' or '.join(KERNELS.values())}, and whole images, this network takes "
            f"{taken}: its features would not be the same"
        )
    is_rgb = taken.channel_order == "rgb"
    values = {
        "architecture": config.architecture,
        "preprocessing": {
            "input_size": [taken.height, taken.width],
            "mean": list(taken.mean if is_rgb else taken.mean[::-1]),
            "std": list(taken.std if is_rgb else taken.std[::-1]),
            "interpolation": names[taken.kernel],
            "to_rgb": is_rgb,
            "resize_mode": "stretch",
            "pad_value": UNUSED_PAD,
        },
    }
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
