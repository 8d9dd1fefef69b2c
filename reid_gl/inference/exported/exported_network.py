"""Shared by the exported runtimes: a network in a file, and its description."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from reid_gl.data.loading.transforms import Preprocessing, check_colors
from reid_gl.untrusted.json_files import what_is_wrong

Floats = NDArray[np.float32]
Shape = tuple[int | None, ...]

EXPORT_FORMAT = "reid_gl/export/1"
MAX_DESCRIPTION = 10_000_000
METADATA_KEY = "reid_gl"
"""Key of the description, which is JSON, in a file's own metadata."""
OUTPUT, LAYOUT = "output_name", "layout"
"""Entries of a description: the output with the features, and the order of the input's axes."""
LAYOUTS = ("nchw", "nhwc")

FACTS = ("height", "width", "mean", "std", "channel_order")
"""Required entries of a handwritten description; mean and std in RGB, for colours in [0, 1]."""

EXAMPLE = (
    "for example input_size=(256, 128), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225), "
    'pixel_range=1.0, channel_order="rgb"'
)
"""Arguments that describe the input of a network if its file does not."""

UNKNOWN: Shape = (None, None, None, None)


@dataclass(frozen=True)
class ExportedNet:
    """An opened file with a network.

    Attributes:
        run: maps images of the file's shape and dtype, contiguous, to features (N, D); several threads may
            call it at once.
        input_shape: input shape of the file, None for axes of any size.
        description: the JSON in the file's metadata, "" if there is none.
        device: device that it runs on.
        errors: exceptions that run raises for images that do not fit.
        dtype: type of the images: float32, float16, or uint8 for unchanged pixels.
    """

    run: Callable[[Floats], NDArray[Any]]
    input_shape: Shape
    description: str
    device: str
    errors: tuple[type[Exception], ...] = (RuntimeError,)
    dtype: DTypeLike = np.float32


def import_optional(name: str) -> ModuleType:
    """Import a package of the extra "export".

    Raises:
        ImportError: it is not installed; the message says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{name} is needed here and cannot be imported ({error}): pip install reid_gl[export]"
        ) from error


def reason_of(error: Exception) -> str:
    """Return the last line of a runtime's message, without the places in its sources before it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1].rsplit(" : ", 1)[-1] if lines else type(error).__name__


def sidecar_of(path: Path) -> Path:
    """Return the path of the description next to an exported network: model.onnx.json for model.onnx."""
    return path.with_name(f"{path.name}.json")


def read_sidecar(path: Path) -> dict[str, Any]:
    """Read the description next to an exported network; empty if there is none.

    Raises:
        ValueError: as parse_description.
    """
    sidecar = sidecar_of(path)
    if not sidecar.is_file():
        return {}
    with sidecar.open("rb") as file:
        return parse_description(file.read(MAX_DESCRIPTION + 1), str(sidecar))


def parse_description(text: str | bytes, source: str) -> dict[str, Any]:
    """Parse the description of an exported network.

    Args:
        text: a JSON object; without a "format" it was written by hand or for a foreign network.
        source: name of the description in messages.

    Raises:
        ValueError: the text is not a JSON object, or has another format.
    """
    try:
        if len(text) > MAX_DESCRIPTION:
            raise ValueError(f"{len(text):,} bytes, more than {MAX_DESCRIPTION:,}")
        description = json.loads(text)
    except (ValueError, RecursionError) as error:  # of JSON or of UTF-8, or nested brackets
        reason = what_is_wrong(error)
        raise ValueError(f"{source} is not JSON ({reason}): remove it, or export the network again") from None
    found = description.get("format", EXPORT_FORMAT) if isinstance(description, dict) else description
    if found != EXPORT_FORMAT:
        raise ValueError(
            f"{source} does not describe an exported network: expected format {EXPORT_FORMAT!r}, "
            f"found {found!r}"
        )
    return dict(description)


def preprocessing_of(description: Mapping[str, Any], source: str) -> Preprocessing:
    """Return the input preprocessing of an exported network.

    A description without a format was written by hand: there, only the kernel and the shorter side are
    optional. In one of our older exports, any entry with a default may be missing.

    Raises:
        ValueError: a number is missing or impossible, or there are unknown entries.
    """
    given = description["preprocessing"]
    if "format" not in description and isinstance(given, Mapping):
        missing = [name for name in FACTS if name not in given]
        if missing:
            raise ValueError(
                f"the preprocessing in {source} is incomplete: add {', '.join(missing)}, for example "
                '"height": 256, "width": 128, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], '
                '"channel_order": "rgb"'
            )
    try:
        preprocessing = Preprocessing.from_dict(given)
        if "format" not in description:
            check_colors(preprocessing.mean, preprocessing.std)
    except (KeyError, TypeError) as error:
        raise ValueError(
            f"the preprocessing in {source} is incomplete ({what_is_wrong(error)}): export again"
        ) from None
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the preprocessing in {source} is invalid: {error}") from None
    return preprocessing


def only_name(names: list[str], kind: str, path: Path, wanted: str | None = None) -> str:
    """Return the name of the only input or output, or of the one called "features".

    Args:
        names: names of all inputs or outputs.
        kind: "input" or "output".
        path: the file, for messages.
        wanted: the one to choose, if given.

    Raises:
        ValueError: there are several, or `wanted` is not among them.
    """
    if wanted is not None and wanted not in names:
        raise ValueError(f"{path} has no {kind} {wanted!r}: it has {', '.join(names)}")
    if wanted is not None or len(names) == 1:
        return wanted or names[0]
    if "features" in names:
        return "features"
    raise ValueError(
        f"{path} has {len(names)} {kind}s ({', '.join(names)}): expected one, or one called 'features'"
        + (f"; give output_name, or {OUTPUT!r} in {sidecar_of(path)}" if kind == "output" else "")
    )
