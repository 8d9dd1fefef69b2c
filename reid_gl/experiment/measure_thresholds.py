"""Measure thresholds of a network on labelled images and store them with its weights."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from reid_gl.config import Config, read_experiment, read_holdout
from reid_gl.data.loading.images import Image8, crop_box, read_image
from reid_gl.data.loading.loaders import check_images, make_label_map
from reid_gl.device import choose_device
from reid_gl.evaluation.thresholds.measure import calibrate
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.experiment.load_data import hold_out, load_data
from reid_gl.files import make_folder, write_text
from reid_gl.inference.exported.exported_network import read_sidecar, sidecar_of
from reid_gl.inference.exported.open_exported import EXPORTED_SUFFIXES
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.foreign import NOTHING_SAID, Foreign
from reid_gl.inference.extractor.hub_files import is_in_hub_cache
from reid_gl.inference.extractor.manifest import write_manifest
from reid_gl.inference.extractor.stored_thresholds import KEY, read_own_checkpoint
from reid_gl.inference.extractor.weights_folder import folder_config_beside
from reid_gl.models.packaged import PACKAGED_FILE
from reid_gl.models.weight_files import check_regular
from reid_gl.records import Features, ReidDataset, Sample
from reid_gl.report.figures import save_figure
from reid_gl.report.thresholds import draw_calibration
from reid_gl.training.checkpoint import save_checkpoint

logger = logging.getLogger(__name__)

FEW_IDENTITIES = 20
NUM_READ = 256
"""Number of images in memory at once."""
TEST_CAUTION = "thresholds chosen on it must not be used to report scores of it"


def calibrate_weights(
    config: Config, weights: Path, *, on: str, foreign: Foreign = NOTHING_SAID
) -> Calibration:
    """Calibrate the features that FeatureExtractor computes with a file of weights.

    Args:
        config: where the data set is, device, precision and batch size.
        weights: a reid_gl checkpoint, an exported file, or weights of another project.
        on: "held-out" for the training identities that the checkpoint's training run held out, every image
            against every other one; "test" for query against gallery of the test set.
        foreign: the caller's description of weights of another project.

    Raises:
        ValueError: no identities were held out, or too few images.
        FileNotFoundError: weights or data set do not exist.
    """
    experiment = read_experiment(config)
    scoring = experiment.scoring
    extractor = FeatureExtractor(
        weights,
        device=str(choose_device(experiment.device)),
        precision="auto" if weights.suffix.lower() in EXPORTED_SUFFIXES else scoring.precision,
        batch_size=scoring.batch_size,
        color_order="rgb",
        **foreign.arguments(),
    )
    dataset = load_data(experiment.data)
    if on == "test":
        query = _extract(extractor, dataset.query)
        gallery = _extract(extractor, dataset.gallery) if dataset.gallery else None
        return calibrate(query, gallery, source=f"test set of {dataset.name} ({TEST_CAUTION})")
    holdout = _held_out(weights, dataset)
    everything = _extract(extractor, [*holdout.query, *holdout.gallery])
    return calibrate(everything, source=f"held-out training identities of {dataset.name}")


def report_calibration(calibration: Calibration, weights: Path | None, image: Path) -> dict[str, Any]:
    """Draw a calibration and store it with the weights, if there are any; warn of its weaknesses.

    Returns:
        The calibration as plain values, with the "file" it is stored in, or None, and the "picture".
    """
    for rate, reason in calibration.missing:
        logger.warning("no threshold for a false accept rate of %g: %s", rate, reason)
    if calibration.num_identities < FEW_IDENTITIES:
        logger.warning(
            "%d identities are few (less than %d): the intervals are too narrow",
            calibration.num_identities,
            FEW_IDENTITIES,
        )
    if calibration.collapse:
        logger.warning("%s", calibration.collapse)
    make_folder(image.parent)
    save_figure(draw_calibration(calibration), image)
    file = None if weights is None else str(store_calibration(weights, calibration))
    return {**calibration.to_dict(), "file": file, "picture": str(image)}


def store_calibration(weights: Path, calibration: Calibration) -> Path:
    """Store a calibration in one of our checkpoints, or next to any other file; other content is kept.

    Returns:
        The file that was replaced or created; this is one atomic step.

    Raises:
        FileNotFoundError, ValueError, OSError: the weights do not exist, the file next to them is not JSON,
            or the file cannot be written.
    """
    check_storable(weights)
    checkpoint = read_own_checkpoint(weights)
    if checkpoint is not None:
        save_checkpoint({**checkpoint, KEY: calibration.to_dict()}, weights)
        return weights
    values = {**read_sidecar(weights), KEY: calibration.to_dict()}
    write_text(sidecar_of(weights), json.dumps(values, indent=2) + "\n")
    if folder_config_beside(weights) is not None:
        write_manifest(weights.parent)
    return sidecar_of(weights)


def check_storable(weights: Path) -> None:
    """Raise unless thresholds can be stored with weights: FileNotFoundError or ValueError."""
    check_regular(weights)
    if is_in_hub_cache(weights):
        raise ValueError(
            "thresholds cannot be stored in a hub's cache: copy the weights with reid-gl weights pull, and "
            "calibrate the copy"
        )
    if weights == PACKAGED_FILE:
        raise ValueError(
            f"thresholds cannot be stored in the package: copy {weights} to a folder of yours, and calibrate "
            "the copy"
        )


def _held_out(weights: Path, dataset: ReidDataset) -> ReidDataset:
    """Return the training identities that the network of a checkpoint has not seen."""
    otherwise = (
        "calibrate on the test set of DATA with --on test, if no scores of it will be reported with them"
    )
    checkpoint = read_own_checkpoint(weights)
    if checkpoint is None or "config" not in checkpoint:
        raise ValueError(f"{weights} does not say what it was trained on: {otherwise}")
    holdout = hold_out(read_holdout(checkpoint["config"]), dataset)
    if holdout is None:
        raise ValueError(
            f"{weights} was trained on every training identity (DATA.HOLDOUT 0), which it tells apart better "
            f"than other people: train with DATA.HOLDOUT 0.1, or {otherwise}"
        )
    if list(make_label_map(holdout.train)) != checkpoint["pids"]:
        raise ValueError(
            f"{weights} was not trained on the {dataset.name} found here without its held-out identities: "
            f"give DATA.NAMES and DATA.ROOT of its training set, or {otherwise}"
        )
    return holdout


def _extract(extractor: FeatureExtractor, samples: Sequence[Sample]) -> Features:
    """Return features of samples, which are read one batch at a time."""
    check_images(samples)
    embeddings = np.empty((len(samples), extractor.embedding_dim), np.float32)
    with tqdm(total=len(samples), unit="image", desc="features", disable=None) as bar:
        for start in range(0, len(samples), NUM_READ):
            some = samples[start : start + NUM_READ]
            embeddings[start : start + len(some)] = extractor([_read(sample) for sample in some])
            bar.update(len(some))
    pids, camids = (np.array([getattr(sample, name) for sample in samples]) for name in ("pid", "camid"))
    return Features(embeddings, pids, camids, tuple(sample.path for sample in samples))


def _read(sample: Sample) -> Image8:
    image = read_image(sample.path)
    return image if sample.box is None else crop_box(image, sample.box, name=sample.path)
