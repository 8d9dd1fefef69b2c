"""Published data sets: from a root folder to samples, without opening or downloading anything."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

from reid_gl.data.sources.cuhk03_extract import extract_cuhk03_images
from reid_gl.data.sources.cuhk03_np import load_cuhk03_np
from reid_gl.data.sources.dukemtmc_reid import load_dukemtmc_reid
from reid_gl.data.sources.market1501 import load_market1501
from reid_gl.data.sources.market_layout import load_market_layout
from reid_gl.data.sources.msmt17 import load_msmt17
from reid_gl.records import ReidDataset

__all__ = [
    "LOADERS",
    "extract_cuhk03_images",
    "load_cuhk03_np",
    "load_dataset",
    "load_dukemtmc_reid",
    "load_market1501",
    "load_market_layout",
    "load_msmt17",
]

LOADERS: dict[str, Callable[[str], ReidDataset]] = {
    "market1501": load_market1501,
    "dukemtmc_reid": load_dukemtmc_reid,
    "cuhk03_np_labelled": partial(load_cuhk03_np, labelled=True),
    "cuhk03_np_detected": partial(load_cuhk03_np, labelled=False),
    "msmt17": load_msmt17,
    "synthetic": partial(load_market_layout, name="synthetic", folder_names=("synthetic",)),
}
"""Every data set that can be called by name."""


def load_dataset(name: str, root: str | Path) -> ReidDataset:
    """Load a data set by its name.

    Args:
        name: a key of LOADERS.
        root: the data folder or its parent.

    Returns:
        The data set; no picture is opened.

    Raises:
        ValueError: unknown name, or a file name that does not say identity and camera.
        FileNotFoundError: the data set is not there.
    """
    if name not in LOADERS:
        nearest = difflib.get_close_matches(name.lower(), LOADERS, n=1, cutoff=0)
        raise ValueError(
            f"unknown data set {name!r}: expected one of {', '.join(LOADERS)}; nearest: {nearest[0]!r}"
        )
    return LOADERS[name](os.fspath(root))
