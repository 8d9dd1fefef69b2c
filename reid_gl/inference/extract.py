"""Samples through a network: features in the samples' order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from reid_gl.data.loading.loaders import BatchLoader, ImageBatches, consecutive_keys
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.device import choose_precision
from reid_gl.inference.strategies.apply import Strategies, apply_strategies, input_preprocessing
from reid_gl.inference.strategies.settings import PLAIN, InferenceSettings
from reid_gl.records import Features, Sample


def extract_features(
    net: nn.Module,
    samples: Sequence[Sample],
    *,
    preprocessing: Preprocessing,
    feature: str = "after_neck",
    inference: InferenceSettings = PLAIN,
    batch_size: int = 64,
    num_workers: int = 0,
    precision: str = "float32",
    show_progress: bool = False,
) -> Features:
    """Run a network over samples, on the device its parameters are on.

    The network and its layers are left in the mode they came in. Batch normalisation works from its
    stored statistics, so a picture's feature does not depend on its neighbours.

    Args:
        net: any module from images (N, 3, H, W) to a tensor (N, D) or a ReidOutput.
        samples: M pictures.
        preprocessing: resize and normalisation the network was trained with.
        feature: "before_neck", "after_neck" or, (M, 2D), "concatenated", where the network gives both.
        inference: pooling, views and normalisation at test time; mixing, slope and beta act before the neck.
        batch_size: pictures at once.
        num_workers: processes that read pictures; 0 reads in this one.
        precision: "float32", "bfloat16", "float16" or "auto" for the network's layers.
        show_progress: draw a bar with an estimate of the time left.

    Returns:
        M features (M, D) float32 with identities and cameras.

    Raises:
        ValueError: no samples, unknown feature, a switch that cannot act on it or in that network, or
            features that are not finite (names the pictures).
    """
    model = apply_strategies(net, Strategies(feature, inference), preprocessing)
    return run_network(
        model,
        samples,
        preprocessing=input_preprocessing(preprocessing, inference),
        batch_size=batch_size,
        num_workers=num_workers,
        precision=precision,
        show_progress=show_progress,
    )


def run_network(
    net: nn.Module,
    samples: Sequence[Sample],
    *,
    preprocessing: Preprocessing,
    batch_size: int = 64,
    num_workers: int = 0,
    precision: str = "float32",
    show_progress: bool = False,
) -> Features:
    """The loop of extract_features, for a network that gives a tensor (N, D)."""
    if not samples:
        raise ValueError("there are no images to extract features from")
    batches = ImageBatches(samples, [0] * len(samples), preprocessing=preprocessing)
    loader = BatchLoader(batches, consecutive_keys(len(samples), batch_size), num_workers=num_workers)
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    dtype = choose_precision(precision, device)
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    embeddings, done = np.empty((0, 0), dtype=np.float32), 0
    try:
        with (
            torch.inference_mode(),
            torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32),
            tqdm(
                total=len(samples), unit="image", disable=None if show_progress else True, desc="features"
            ) as bar,
        ):
            for batch in loader:
                images = preprocessing.normalize(batch.images.to(device))
                rows = net(images.contiguous(memory_format=torch.channels_last)).float().cpu().numpy()
                if not done:  # filled in place: joining the batches at the end would take twice the memory
                    embeddings = np.empty((len(samples), rows.shape[1]), dtype=np.float32)
                embeddings[done : done + len(rows)] = rows
                done += len(rows)
                bar.update(len(rows))
    finally:
        for module, was_training in modes:
            module.training = was_training
    return _as_features(embeddings, samples)


def _as_features(embeddings: NDArray[np.float32], samples: Sequence[Sample]) -> Features:
    broken = np.flatnonzero(~np.isfinite(embeddings).all(axis=1))
    if len(broken):
        names = ", ".join(samples[i].path for i in broken[:3])
        raise ValueError(
            f"the network gives NaN or infinite features for {len(broken)} of {len(samples)} images "
            f"({names}): the weights are broken, or the precision is too low"
        )
    return Features(
        embeddings=embeddings,
        pids=np.array([sample.pid for sample in samples], dtype=np.int64),
        camids=np.array([sample.camid for sample in samples], dtype=np.int64),
        paths=tuple(sample.path for sample in samples),
    )
