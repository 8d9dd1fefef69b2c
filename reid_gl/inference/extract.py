"""Samples through a network: features in the samples' order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import tqdm

from reid_gl.data.loaders import BatchLoader, ImageBatches, consecutive_keys
from reid_gl.data.transforms import Preprocessing
from reid_gl.device import choose_precision
from reid_gl.records import FEATURES, Features, ReidOutput, Sample


def extract_features(
    net: nn.Module,
    samples: Sequence[Sample],
    *,
    preprocessing: Preprocessing,
    feature: str = "after_neck",
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
        feature: "before_neck" or "after_neck", where the network gives both.
        batch_size: pictures at once.
        num_workers: processes that read pictures; 0 reads in this one.
        precision: "float32", "bfloat16", "float16" or "auto" for the network's layers.
        show_progress: draw a bar with an estimate of the time left.

    Returns:
        M features (M, D) float32 with identities and cameras.

    Raises:
        ValueError: no samples, unknown feature, or features that are not finite (names the pictures).
    """
    if not samples:
        raise ValueError("there are no images to extract features from")
    if feature not in FEATURES:
        raise ValueError(f"unknown feature {feature!r}: expected one of {', '.join(FEATURES)}")
    batches = ImageBatches(samples, [0] * len(samples), preprocessing=preprocessing)
    loader = BatchLoader(batches, consecutive_keys(len(samples), batch_size), num_workers=num_workers)
    device = next((parameter.device for parameter in net.parameters()), torch.device("cpu"))
    dtype = choose_precision(precision, device)
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    rows = []
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
                output = net(images.contiguous(memory_format=torch.channels_last))
                rows.append(_embeddings(output, feature).float().cpu())
                bar.update(len(images))
    finally:
        for module, was_training in modes:
            module.training = was_training
    return _as_features(torch.cat(rows), samples)


def _embeddings(output: Tensor | ReidOutput, feature: str) -> Tensor:
    embeddings = output if isinstance(output, Tensor) else getattr(output, feature)
    if embeddings.ndim != 2:
        raise ValueError(f"the network must give one feature (N, D) per image, got {tuple(embeddings.shape)}")
    return embeddings


def _as_features(embeddings: Tensor, samples: Sequence[Sample]) -> Features:
    broken = (~torch.isfinite(embeddings).all(dim=1)).nonzero().flatten().tolist()
    if broken:
        names = ", ".join(samples[i].path for i in broken[:3])
        raise ValueError(
            f"the network gives NaN or infinite features for {len(broken)} of {len(samples)} images "
            f"({names}): the weights are broken, or the precision is too low"
        )
    return Features(
        embeddings=embeddings.numpy(),
        pids=np.array([sample.pid for sample in samples], dtype=np.int64),
        camids=np.array([sample.camid for sample in samples], dtype=np.int64),
        paths=tuple(sample.path for sample in samples),
    )
