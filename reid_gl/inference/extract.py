"""Extract features of samples with a network, in the order of the samples."""

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
from reid_gl.distributed.agreement import agreement, gather_blocks, own_block
from reid_gl.distributed.ranks import is_first
from reid_gl.inference.strategies.apply import Strategies, apply_strategies, input_preprocessing
from reid_gl.inference.strategies.settings import PLAIN, InferenceSettings
from reid_gl.models.evaluation_mode import evaluation_mode
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
    """Run a network over samples, on the device of its parameters.

    The network runs in evaluation mode; afterwards each of its modules is restored to its previous mode.
    Batch normalisation therefore uses its running statistics, and the feature of an image does not depend on
    the other images of the batch.

    Args:
        net: any module that maps images (N, 3, H, W) to a tensor (N, D) or a ReidOutput.
        samples: M images.
        preprocessing: resizing and normalisation that the network was trained with.
        feature: "before_neck", "after_neck" or "concatenated" (M, 2D), if the network returns both.
        inference: pooling, views and normalisation at test time; mixing, slope and beta need "before_neck".
        batch_size: images per batch.
        num_workers: processes that read images; 0 reads in the current process.
        precision: dtype of the network's layers: "float32", "bfloat16", "float16" or "auto".
        show_progress: show a progress bar with the estimated time left.

    Returns:
        Features (M, D) float32 with identities and cameras.

    Raises:
        ValueError: there are no samples, the feature is unknown, a setting does not apply to the feature or
            the network, or features are not finite (the message names the images).
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
    """Run the extraction loop of extract_features on a network that returns a tensor (N, D).

    Several ranks call it together: each runs the network on its share of the images, and all get all rows.
    """
    if not samples:
        raise ValueError("there are no images to extract features from")
    own = samples[own_block(len(samples))]
    with agreement():
        embeddings = _run(net, own, preprocessing, batch_size, num_workers, precision, show_progress)
    return _as_features(gather_blocks(embeddings), samples)


def _run(
    net: nn.Module,
    samples: Sequence[Sample],
    preprocessing: Preprocessing,
    batch_size: int,
    num_workers: int,
    precision: str,
    show_progress: bool,
) -> NDArray[np.float32]:
    """The rows (M, D) of a share of the images; (0, 0) for none."""
    batches = ImageBatches(samples, [0] * len(samples), preprocessing=preprocessing)
    loader = BatchLoader(batches, consecutive_keys(len(samples), batch_size), num_workers=num_workers)
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    dtype = choose_precision(precision, device)
    embeddings, done = np.empty((0, 0), dtype=np.float32), 0
    with (
        evaluation_mode(net),
        torch.inference_mode(),
        torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32),
        tqdm(
            total=len(samples),
            unit="image",
            disable=None if show_progress and is_first() else True,
            desc="features",
        ) as bar,
    ):
        for batch in loader:
            images = preprocessing.normalize(batch.images.to(device))
            rows = net(images.contiguous(memory_format=torch.channels_last)).float().cpu().numpy()
            if not done:  # fill in place: concatenating batches at the end would double the memory
                embeddings = np.empty((len(samples), rows.shape[1]), dtype=np.float32)
            embeddings[done : done + len(rows)] = rows
            done += len(rows)
            bar.update(len(rows))
    return embeddings


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
        clothes=_known_groups([sample.clothes for sample in samples]),
        dates=_known_groups([sample.date for sample in samples]),
    )


def _known_groups(numbers: list[int]) -> NDArray[np.int64] | None:
    """Return the numbers (M,); None if all are unknown."""
    groups = np.array(numbers, dtype=np.int64)
    return groups if (groups >= 0).any() else None
