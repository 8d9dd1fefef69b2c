"""Write a checkpoint for another runtime, and say what that costs on a data set."""

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
from reid_gl.inference.exporting.export_network import export_weights
from reid_gl.inference.exporting.export_settings import ExportSettings
from reid_gl.inference.exporting.open_exported import ExportedRuntime, load_exported
from reid_gl.inference.extractor.embedder import load_embedder
from reid_gl.records import ReidDataset, Sample

logger = logging.getLogger(__name__)


def run_export(
    weights: str | Path,
    settings: ExportSettings,
    *,
    out: str | Path | None = None,
    force: bool = False,
    calibration_images: str | Path | None = None,
    config: Config | None = None,
) -> dict[str, Any]:
    """Export a checkpoint; with a data set, also score network and file on it.

    Args:
        weights: a checkpoint of ours.
        settings: what to write.
        out: the file, see export_weights.
        force: see export_weights.
        calibration_images: folder with crops of people, also in folders inside it; None takes the training
            set of the configuration.
        config: an experiment, of which DATA is used, and TEST.CAMERA_FILTER and TEST.BATCH_SIZE; None for no
            data set.

    Returns:
        As export_weights; with a data set also "mAP" of "torch" in float32 and "exported", and the "change".

    Raises:
        ArithmeticError, ValueError, FileNotFoundError, ImportError: as export_weights; or no images.
    """
    experiment = None if config is None else read_experiment(config)
    dataset = None if experiment is None else load_data(experiment.data)
    pictures: Sequence[Sample] = () if dataset is None else dataset.train
    if calibration_images is not None:
        pictures = find_pictures(calibration_images)
    result = export_weights(weights, settings, out=out, force=force, pictures=pictures)
    if experiment is not None and dataset is not None:
        result["mAP"] = _score(Path(weights), result["file"], settings, dataset, experiment.scoring)
    return result


def find_pictures(folder: str | Path) -> list[Sample]:
    """Every image in a folder and the folders inside it, by name; nothing is opened.

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
    weights: Path, exported: str, settings: ExportSettings, dataset: ReidDataset, scoring: Scoring
) -> dict[str, float]:
    """MAP of the network in torch, float32, and of the file as FeatureExtractor uses it by default."""
    reference = load_embedder(weights, flip=settings.flip)
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
    """An exported network where a module is expected."""

    def __init__(self, runtime: ExportedRuntime) -> None:
        super().__init__()
        self.runtime = runtime

    def forward(self, images: Tensor) -> Tensor:
        return torch.from_numpy(self.runtime.run(images.numpy()))
