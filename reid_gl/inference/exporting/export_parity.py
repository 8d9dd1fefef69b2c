"""Check that an exported network returns the same features as the network in torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from reid_gl.data.loading.images import Image8, crop_box, read_image
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.exported.open_exported import STORED_PRECISIONS, load_exported
from reid_gl.inference.extractor.embedder import LoadedEmbedder
from reid_gl.records import Sample

MIN_COSINE = {"float32": 0.9999, "fp16": 0.999, "int8": 0.95}
"""Smallest cosine between an image's features in torch and in the file, by precision."""

PARITY_BATCHES = (1, 2, 17)
NUM_COMPARED = sum(PARITY_BATCHES)
CALIBRATION_IMAGES = 300
FEWEST_IMAGES = 40
"""For int8: NUM_COMPARED of these are reserved for the comparison."""


@dataclass(frozen=True)
class Parity:
    """Difference between a file's features and those of the network in torch, float32.

    Attributes:
        batch: images per batch.
        max_error: largest difference between two elements of unit-length features.
        min_cosine: smallest cosine between the two features of an image.
    """

    batch: int
    max_error: float
    min_cosine: float


def measure_parity(path: Path, reference: LoadedEmbedder, images: Image8, precision: str) -> list[Parity]:
    """Compare a file with the network in torch, on the CPU, for each of PARITY_BATCHES.

    Args:
        path: the exported network.
        reference: the network.
        images: (20, height, width, 3) uint8 RGB, split into the batches.
        precision: precision of the export; OpenVINO files stored in float32 or fp16 compute in float32 here.
    """
    is_openvino = path.suffix == ".xml" and precision != "int8"
    runtime = load_exported(
        path, None, device="cpu", precision="float32" if is_openvino else STORED_PRECISIONS[precision]
    )
    found, start = [], 0
    for batch in PARITY_BATCHES:
        part = images[start : start + batch]
        start += batch
        with torch.inference_mode():
            pixels = torch.from_numpy(part).permute(0, 3, 1, 2)
            expected = reference.net(reference.preprocessing.normalize(pixels)).numpy().astype(np.float64)
        features = runtime(part).astype(np.float64)
        lengths = np.linalg.norm(features, axis=1) * np.linalg.norm(expected, axis=1)
        cosines = (features * expected).sum(axis=1) / lengths
        found.append(Parity(batch, float(np.abs(features - expected).max()), float(cosines.min())))
    return found


def check_parity(parity: Sequence[Parity], precision: str, name: str) -> None:
    """Raise ArithmeticError unless all cosines reach MIN_COSINE of the precision."""
    for one in parity:
        if not one.min_cosine >= MIN_COSINE[precision]:  # NaN fails too
            raise ArithmeticError(
                f"{name} was not written: at batch {one.batch} its features have a cosine of "
                f"{one.min_cosine:.6f} to the network's (largest difference {one.max_error:.2g}), "
                f"{precision} needs {MIN_COSINE[precision]}: use a higher precision or another format"
            )


def read_crops(images: Sequence[Sample], preprocessing: Preprocessing, precision: str) -> Image8:
    """Choose the crops for the comparison and the calibration.

    Args:
        images: real crops; if there are fewer than NUM_COMPARED, synthetic ones replace them.
        preprocessing: size of the crops.
        precision: precision of the export.

    Returns:
        (M, height, width, 3) uint8 RGB: NUM_COMPARED to compare, then, for int8, up to
        CALIBRATION_IMAGES others to calibrate with.

    Raises:
        ValueError: too few for int8.
    """
    if precision == "int8" and len(images) < FEWEST_IMAGES:
        raise ValueError(
            f"int8 is calibrated on at least {FEWEST_IMAGES} real crops, better {CALIBRATION_IMAGES}, "
            f"got {len(images)}: give a folder of them, or an experiment file whose training set is used"
        )
    rng = np.random.default_rng(0)
    if len(images) < NUM_COMPARED:
        return _made_up_images(NUM_COMPARED, preprocessing, rng)
    wanted = NUM_COMPARED + (CALIBRATION_IMAGES if precision == "int8" else 0)
    chosen = rng.permutation(len(images))[:wanted]
    crops = np.empty((len(chosen), preprocessing.height, preprocessing.width, 3), np.uint8)
    for place, index in enumerate(chosen):
        sample = images[index]
        image = read_image(sample.path)
        image = image if sample.box is None else crop_box(image, sample.box, name=sample.path)
        crops[place] = preprocessing.resize(image)
    return crops


def _made_up_images(count: int, preprocessing: Preprocessing, rng: np.random.Generator) -> Image8:
    """Draw blocks of colour with noise: like photographs, these are neither flat nor pure noise."""
    images = [
        np.clip(
            preprocessing.resize(rng.integers(0, 256, (8, 4, 3), dtype=np.uint8))
            + rng.normal(0, 16, (preprocessing.height, preprocessing.width, 3)),
            0,
            255,
        )
        for _ in range(count)
    ]
    return np.stack(images).astype(np.uint8)
