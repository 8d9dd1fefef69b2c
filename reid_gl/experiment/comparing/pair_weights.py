"""Compare the weights that losses give to the pairs of one batch, as numbers and as a figure."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from reid_gl.config import Config, Experiment, read_experiment
from reid_gl.data.loading.loaders import make_label_map
from reid_gl.device import choose_device
from reid_gl.experiment.load_data import hold_out, load_data, make_sampler
from reid_gl.experiment.make_network import make_configured_loss
from reid_gl.files import make_folder
from reid_gl.inference.extract import extract_features
from reid_gl.inference.extractor.open_weights import stored_preprocessing
from reid_gl.losses import SHORT_NAMES
from reid_gl.losses.pair_weights import pair_weights
from reid_gl.losses.pairs import pair_masks, pair_similarity
from reid_gl.models import load_net
from reid_gl.own_files import check_replaceable
from reid_gl.report.figures import save_figure
from reid_gl.report.pair_weights import draw_pair_weights

logger = logging.getLogger(__name__)

FIGURE_SUFFIXES = (".png", ".pdf", ".svg")
MADE_UP_WIDTH = 16
MADE_UP_SPREAD = 0.8


def run_pair_weights(
    config: Config, names: Sequence[str], path: str | Path, *, force: bool = False
) -> dict[str, Any]:
    """Compare the weights of losses on one P x K batch, and draw them.

    With MODEL.WEIGHTS, the batch is the first one of the training set for this seed. The network runs in eval
    mode, without augmentation, and the feature is that of TEST. Without MODEL.WEIGHTS, the batch consists of
    random unit vectors. The same configuration gives the same batch. All losses see only cosines: embeddings
    are treated as unit vectors even for losses that use their lengths in training.

    Args:
        config: the experiment; losses take their settings from LOSS.
        names: losses by their names in LOSS.NAMES, or ce, ms, rll; duplicates are ignored.
        path: figure to write atomically, .png, .pdf or .svg; missing folders are created.
        force: replace a file of that name even if none of our commands wrote it.

    Returns:
        The batch in numbers, and for each loss the number of pairs with a weight, the mean weights of
        positives and of negatives (None if the batch has none) and the largest weight.

    Raises:
        ValueError: no loss or an unknown loss is given, or the configuration cannot be used.
        TypeError: a loss is not a function of the similarities of pairs.
        OSError: weights or images cannot be read, or the figure cannot be written.
    """
    if not names:
        raise ValueError("no loss to draw: give at least one name, such as multi_similarity")
    path = _prepare_output(Path(path), force=force)
    experiment = read_experiment(config)
    embeddings, labels = trained_batch(experiment) if experiment.weights else made_up_batch(experiment)
    sizes = (int(labels.max()) + 1, embeddings.shape[1])
    losses = {name: make_configured_loss(experiment, SHORT_NAMES.get(name, name), *sizes) for name in names}
    weights = {name: pair_weights(loss, embeddings, labels) for name, loss in losses.items()}
    figure = draw_pair_weights(weights, pair_similarity(embeddings, labels), labels)
    save_figure(figure, path)
    logger.info("image: %s", path)
    return {
        "weights": str(experiment.weights) if experiment.weights else "made-up batch",
        "images": len(labels),
        "identities": len(labels.unique()),
        "losses": {name: summarize(values, labels) for name, values in weights.items()},
    }


def trained_batch(experiment: Experiment) -> tuple[Tensor, Tensor]:
    """Return features (N, D) of MODEL.WEIGHTS on the sampler's first batch, and labels (N,) in [0, C)."""
    loaded = load_net(experiment.weights_to_test())
    dataset = load_data(experiment.data)
    holdout = hold_out(experiment.data.holdout, dataset)
    train = dataset.train if holdout is None else holdout.train
    label_map = make_label_map(train)
    labels = [label_map[sample.pid] for sample in train]
    chosen = make_sampler(experiment, train).epoch_batches(0)[0]
    scoring = experiment.scoring
    features = extract_features(
        loaded.net.to(choose_device(experiment.device)),
        [train[index] for index in chosen],
        preprocessing=stored_preprocessing(loaded.checkpoint),
        feature=scoring.feature,
        batch_size=scoring.batch_size,
        num_workers=scoring.num_workers,
        precision=scoring.precision,
    )
    return torch.from_numpy(features.embeddings), torch.tensor([labels[index] for index in chosen])


def made_up_batch(experiment: Experiment) -> tuple[Tensor, Tensor]:
    """Draw unit vectors around random centres, spread like the features of a half-trained network.

    The cosine of two positives is about 0.6, that of two negatives about 0; both spread by about 0.2, so
    that some negatives are nearer than some positives.

    Returns:
        (P * K, 16) float32 and labels (P * K,) in [0, P).
    """
    batches = experiment.batches
    generator = torch.Generator().manual_seed(experiment.seed)
    labels = torch.arange(batches.num_identities).repeat_interleave(batches.num_images)
    centers = F.normalize(torch.randn(batches.num_identities, MADE_UP_WIDTH, generator=generator), dim=1)
    noise = torch.randn(len(labels), MADE_UP_WIDTH, generator=generator) / MADE_UP_WIDTH**0.5
    return F.normalize(centers[labels] + MADE_UP_SPREAD * noise, dim=1), labels


def summarize(weights: Tensor, labels: Tensor) -> dict[str, float | int | None]:
    """Summarize the weights (N, N) of a batch in a few plain numbers."""
    positives, negatives = (weights[mask] for mask in pair_masks(labels))
    return {
        "pairs": positives.numel() + negatives.numel(),
        "pairs_with_weight": int(weights.count_nonzero()),
        "mean_of_positives": positives.mean().item() if positives.numel() else None,
        "mean_of_negatives": negatives.mean().item() if negatives.numel() else None,
        "largest": weights.max().item(),
    }


def _prepare_output(path: Path, *, force: bool) -> Path:
    """Check before the work that the figure can be written."""
    if path.suffix.lower() not in FIGURE_SUFFIXES:
        raise ValueError(f"cannot draw {path}: its name must end in {', '.join(FIGURE_SUFFIXES)}")
    if path.is_dir():
        raise IsADirectoryError(f"cannot draw {path}: it is a folder")
    check_replaceable(path, force=force)
    try:
        make_folder(path.parent)
    except OSError as error:
        raise type(error)(f"cannot draw {path}: {error}") from None
    if not os.access(path.parent, os.W_OK):
        raise PermissionError(f"cannot draw {path}: no permission to write into {path.parent}")
    return path
