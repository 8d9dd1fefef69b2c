"""Read features of the frames of sequences, as `reid-gl extract` writes them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from reid_gl.evaluation.feature_lists import divide_list
from reid_gl.records import Features
from reid_gl.untrusted.npz import read_npz

ARRAYS = ("features", "pids", "ids", "camids", "valid", "frames")


def load_sequence_features(path: str | Path) -> tuple[Features, NDArray[np.int64]]:
    """Load the features of all images of a file, whatever their split, and their frames.

    Args:
        path: .npz of `reid-gl extract`, of a sequence with its ground truth or of the crops.csv of
            `reid-gl mot-to-reid`.

    Returns:
        M features with identities and cameras (-1 if the file has none), and frames (M,).

    Raises:
        FileNotFoundError: the file does not exist.
        ValueError: it has no features, identities or frames, or their lengths differ.
    """
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise ValueError(f"cannot read {path}: expected a .npz file that `reid-gl extract` wrote")
    arrays = {name: np.asarray(values) for name, values in read_npz(path, ARRAYS).items()}
    missing = [name for name in ("features", "frames") if name not in arrays]
    if missing:
        raise ValueError(
            f"{path} has no {missing[0]}: extract from a sequence with --boxes gt/gt.txt, or from the "
            "crops.csv of mot-to-reid"
        )
    rows = divide_list(arrays, path)  # without splits, every image is on the side of the queries
    frames = arrays["frames"].reshape(-1)
    if "valid" in arrays:
        frames = frames[arrays["valid"].reshape(-1).astype(bool)]
    pids = rows["query_pids"].astype(np.int64)
    camids = rows.get("query_camids", np.full(len(pids), -1)).astype(np.int64)
    return Features(rows["query"].astype(np.float32), pids, camids), frames.astype(np.int64)
