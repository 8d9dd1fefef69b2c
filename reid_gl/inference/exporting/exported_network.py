"""What the exported runtimes have in common: a network in a file, and what is known of it."""

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

Floats = NDArray[np.float32]
Shape = tuple[int | None, ...]

EXPORT_FORMAT = "reid_gl/export/1"
MAX_DESCRIPTION = 10_000_000
METADATA_KEY = "reid_gl"
"""Name under which the description, as JSON, stands in a file's own metadata."""
OUTPUT, LAYOUT = "output_name", "layout"
"""Entries of a description: the output that holds the features, and the order of the input's axes."""
LAYOUTS = ("nchw", "nhwc")

FACTS = ("height", "width", "mean", "std", "channel_order")
"""What a description by hand must say of the images; mean and std in RGB, of colours in [0, 1]."""

UNKNOWN: Shape = (None, None, None, None)


@dataclass(frozen=True)
class ExportedNet:
    """A network in a file, opened.

    Attributes:
        run: images of the file's shape and dtype, contiguous, to features (N, D); may be called by several
            threads at once.
        input_shape: of the file, None where it takes any number.
        description: the JSON in the file's metadata, "" if there is none.
        device: where it computes.
        errors: what run raises for images that do not fit.
        dtype: of the images: float32, float16, or uint8 for pixels as they are.
    """

    run: Callable[[Floats], NDArray[Any]]
    input_shape: Shape
    description: str
    device: str
    errors: tuple[type[Exception], ...] = (RuntimeError,)
    dtype: DTypeLike = np.float32


def import_optional(name: str) -> ModuleType:
    """A package of the extra "export".

    Raises:
        ImportError: it is not installed; says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise ImportError(
            f"{name} is needed here and cannot be imported ({error}): pip install reid_gl[export]"
        ) from error


def sidecar_of(path: Path) -> Path:
    """The file beside an exported network that describes it: model.onnx.json of model.onnx."""
    return path.with_name(f"{path.name}.json")


def read_sidecar(path: Path) -> dict[str, Any]:
    """What the file beside an exported network says of it; empty if there is none.

    Raises:
        ValueError: as parse_description.
    """
    sidecar = sidecar_of(path)
    if not sidecar.is_file():
        return {}
    with sidecar.open("rb") as file:
        return parse_description(file.read(MAX_DESCRIPTION + 1), str(sidecar))


def parse_description(text: str | bytes, source: str) -> dict[str, Any]:
    """What is said of an exported network.

    Args:
        text: a JSON object; without a "format" it was written by hand or for a foreign network.
        source: how errors call it.

    Raises:
        ValueError: no JSON object, or of another format.
    """
    try:
        if len(text) > MAX_DESCRIPTION:
            raise ValueError(f"{len(text):,} bytes, more than {MAX_DESCRIPTION:,}")
        description = json.loads(text)
    except (ValueError, RecursionError) as error:  # of JSON or of UTF-8, or nested brackets
        raise ValueError(f"{source} is no JSON ({error}): remove it, or export the network again") from None
    found = description.get("format", EXPORT_FORMAT) if isinstance(description, dict) else description
    if found != EXPORT_FORMAT:
        raise ValueError(
            f"{source} does not describe an exported network: expected format {EXPORT_FORMAT!r}, "
            f"found {found!r}"
        )
    return dict(description)


def preprocessing_of(description: Mapping[str, Any], source: str) -> Preprocessing:
    """What images an exported network takes.

    A description without a format was written by hand: nothing but the kernel and the shorter side may be
    left out there, where an older export of ours may lack what has a default.

    Raises:
        ValueError: a number is missing or cannot be, or there are unknown words.
    """
    given = description["preprocessing"]
    if "format" not in description and isinstance(given, Mapping):
        missing = [name for name in FACTS if name not in given]
        if missing:
            raise ValueError(
                f"the preprocessing in {source} is not whole: add {', '.join(missing)}, for example "
                '"height": 256, "width": 128, "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], '
                '"channel_order": "rgb"'
            )
    try:
        preprocessing = Preprocessing.from_dict(given)
        if "format" not in description:
            check_colors(preprocessing.mean, preprocessing.std)
    except (KeyError, TypeError) as error:
        raise ValueError(f"the preprocessing in {source} is not whole ({error}): export again") from None
    except (ValueError, OverflowError) as error:
        raise ValueError(f"the preprocessing in {source} cannot be: {error}") from None
    return preprocessing


def only_name(names: list[str], kind: str, path: Path, wanted: str | None = None) -> str:
    """The name of the only input or output, or of the one called "features".

    Args:
        names: of all inputs or outputs.
        kind: "input" or "output".
        path: the file, for messages.
        wanted: the one to take instead.

    Raises:
        ValueError: there are several, or not the one that is wanted.
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
