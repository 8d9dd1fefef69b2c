"""Market-1501."""

from __future__ import annotations

from pathlib import Path

from reid_gl.data.datasets.reading.counts import SplitCounts
from reid_gl.data.datasets.reading.market_layout import load_market_layout
from reid_gl.records import ReidDataset

FOLDER_NAMES = ("Market-1501-v15.09.15", "Market-1501", "Market1501", "market_1501", "market")
PUBLISHED = SplitCounts(
    training_images=12_936,
    training_identities=751,
    query_images=3_368,
    query_identities=750,
    gallery_images=15_913,
    gallery_distractors=2_798,
)


def load_market1501(root: str | Path) -> ReidDataset:
    """Load Market-1501, or a data set derived from it; no image is opened.

    Args:
        root: the data folder, its parent, or one of its three image folders.

    Returns:
        The data set; the gallery omits 3,819 junk images and keeps 2,798 distractors.

    Raises:
        FileNotFoundError: the folders are missing.
        ValueError: an image name does not give the identity and camera.

    Source: Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015.
    """
    return load_market_layout(
        root, name="market1501", title="Market-1501", folder_names=FOLDER_NAMES, published=PUBLISHED
    )
