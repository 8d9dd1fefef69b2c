"""Features in groups for the tests of clustering."""

from __future__ import annotations

import numpy as np


def blobs(seed: int, num: int, num_labels: int, noise: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.append(np.arange(num_labels), rng.integers(0, num_labels, num - num_labels))
    rows = rng.normal(size=(num_labels, 16))[labels] + noise * rng.normal(size=(num, 16))
    return rows.astype(np.float32), labels
