"""Export a checkpoint for another runtime, and measure how the scores on a data set change."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from reid_gl.config import Config, read_experiment
from reid_gl.config.experiment import Scoring
from reid_gl.data.datasets.own.image_tree import list_tree
from reid_gl.data.loading.images import IMAGE_SUFFIXES
from reid_gl.experiment.load_data import load_data
from reid_gl.inference.evaluate import evaluate
from reid_gl.inference.exported.open_exported import ExportedRuntime, load_exported
from reid_gl.inference.exporting.export_network import export_weights
from reid_gl.inference.exporting.export_settings import ExportSettings
from reid_gl.inference.extractor.embedder import LoadedEmbedder, load_embedder
from reid_gl.inference.extractor.find_weights import find_weights
from reid_gl.inference.extractor.foreign import NOTHING_SAID, Foreign
from reid_gl.records import ReidDataset, Sample

logger = logging.getLogger(__name__)


def run_export(
    weights: str | Path,
    settings: ExportSettings,
    *,
    foreign: Foreign = NOTHING_SAID,
    out: str | Path | None = None,
    force: bool = False,
    calibration_images: str | Path | None = None,
    config: Config | None = None,
) -> dict[str, Any]:
    """Export a checkpoint; with a data set, also score network and file on it.

    Args:
        weights: a reid_gl checkpoint, or weights of another project.
        settings: format and settings of the file.
        foreign: the caller's description of weights of another project.
        out: the file to write, see export_weights.
        force: see export_weights.
        calibration_images: folder with crops of people, which may be in subfolders; None takes the training
            set of the configuration.
        config: an experiment, for its DATA, TEST.CAMERA_FILTER and TEST.BATCH_SIZE; None for no data set.

    Returns:
        As export_weights; with a data set also the "mAP" of "torch" in float32 and of "exported", and the
        "change".

    Raises:
        ArithmeticError, ValueError, FileNotFoundError, ImportError: as export_weights; also if there are no
            images.
    """
    experiment = None if config is None else read_experiment(config)
    dataset = None if experiment is None else load_data(experiment.data)
    images: Sequence[Sample] = () if dataset is None else dataset.train
    if calibration_images is not None:
        images = find_images(calibration_images)
    result = export_weights(weights, settings, foreign=foreign, out=out, force=force, images=images)
    if experiment is not None and dataset is not None:
        reference = load_embedder(find_weights(weights), foreign, flip=settings.flip)
        result["mAP"] = _score(reference, result["file"], dataset, experiment.scoring)
    return result


def find_images(folder: str | Path) -> list[Sample]:
    """List every image in a folder and its subfolders, sorted by name; no image is opened.

    Raises:
        FileNotFoundError: no such folder, or no images in it.
    """
    folder = Path(folder)
    files = [folder / path for path in list_tree(folder)] if folder.is_dir() else []
    if not files:
        raise FileNotFoundError(
            f"there are no images ({', '.join(IMAGE_SUFFIXES)}) in {folder}: give a folder with crops "
            "of people"
        )
    return [Sample(str(path), 0) for path in files]


def _score(
    reference: LoadedEmbedder, exported: str, dataset: ReidDataset, scoring: Scoring
) -> dict[str, float]:
    """Return the mAP of the network in torch, float32, and of the file with FeatureExtractor's defaults."""
    runtime = load_exported(Path(exported), None, device="cpu", precision="auto")
    scores = {
        name: evaluate(
            net,
            dataset,
            preprocessing=preprocessing,
            camera_filter=scoring.camera_filter,
            batch_size=scoring.batch_size,
            num_workers=scoring.num_workers,
            show_progress=True,
        ).mean_ap
        for name, net, preprocessing in (
            ("torch", reference.net, reference.preprocessing),
            ("exported", _RuntimeNet(runtime), runtime.preprocessing),
        )
    }
    return {**scores, "change": scores["exported"] - scores["torch"]}


class _RuntimeNet(nn.Module):
    """Wrap an exported network as a module."""

    def __init__(self, runtime: ExportedRuntime) -> None:
        super().__init__()
        self.runtime = runtime

    def forward(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self.runtime.run(images.numpy()))
