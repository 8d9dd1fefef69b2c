"""The calibration of a file of weights: where it is stored, and decisions with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reid_gl.evaluation.arrays import as_array
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.inference.exported.exported_network import read_sidecar
from reid_gl.inference.exported.open_exported import EXPORTED_SUFFIXES
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.models import read_checkpoint

KEY = "calibration"
NO_CALIBRATION = "has no calibration, and so no threshold: run reid-gl calibrate on it"


def read_own_checkpoint(weights: Path) -> dict[str, Any] | None:
    """Return the content of one of our checkpoints; None for any other file.

    Raises:
        FileNotFoundError: no such file.
    """
    if weights.suffix.lower() in EXPORTED_SUFFIXES:
        return None
    try:
        return read_checkpoint(weights)
    except ValueError:  # from another program, or broken: load_runtime reports it
        return None


def load_calibration(weights: str | Path) -> Calibration | None:
    """Return the thresholds stored in one of our checkpoints, or in the file next to any other one.

    Args:
        weights: as FeatureExtractor takes them.

    Returns:
        None if there are none.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the stored entry is not a calibration.
    """
    weights = find_weights(weights)
    checkpoint = read_own_checkpoint(weights)
    values = (read_sidecar(weights) if checkpoint is None else checkpoint).get(KEY)
    if values is None:
        return None
    try:
        return Calibration.from_dict(values)
    except ValueError as error:
        raise ValueError(f"{weights} has {error}") from None


def same_person(
    calibration: Calibration, features_a: ArrayLike, features_b: ArrayLike, *, far: float
) -> bool | NDArray[np.bool_]:
    """Return whether features are near enough to show the same person.

    Args:
        calibration: thresholds of the network that computed the features.
        features_a: (D,) or (N, D), of any length.
        features_b: (D,) or (N, D); one alone is compared with all of the other side.
        far: calibrated false accept rate.

    Returns:
        One bool if both are (D,), else (N,) bool. A row of zeros, which stands for an empty box, matches no
        feature.

    Raises:
        ValueError: the rate was not calibrated, the shapes disagree, or numbers are not finite.
    """
    threshold = calibration.threshold(far)
    sides = [as_array(side).astype(np.float64) for side in (features_a, features_b)]
    sizes = {len(side) for side in sides if side.ndim == 2}
    if any(side.ndim not in (1, 2) for side in sides) or len(sizes) > 1:
        shapes = " and ".join(str(side.shape) for side in sides)
        raise ValueError(f"features must be (D,) or (N, D) with the same N, got {shapes}")
    if sides[0].shape[-1] != sides[1].shape[-1]:
        raise ValueError(
            f"features have {sides[0].shape[-1]} and {sides[1].shape[-1]} numbers: expected the same number"
        )
    if not all(np.isfinite(side).all() for side in sides):
        raise ValueError("features must be finite, got NaN or infinity: leave out images without a feature")
    lengths = [np.linalg.norm(side, axis=-1) for side in sides]
    product = lengths[0] * lengths[1]
    dots = (sides[0] * sides[1]).sum(axis=-1)
    accepted = (product > 0) & (1.0 - dots / np.where(product > 0, product, 1.0) <= threshold)
    return accepted if sizes else bool(accepted)
