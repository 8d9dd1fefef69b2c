"""Market-1501's multi-query setting: more images of each query's identity from the query's camera."""

from __future__ import annotations

import logging
from pathlib import Path

from reid_gl.data.datasets.market1501 import FOLDER_NAMES
from reid_gl.data.datasets.reading.folders import Layout, find_folder
from reid_gl.data.datasets.reading.market_layout import MARKET_FOLDERS, market_tree, read_market_folders
from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.records import Sample

logger = logging.getLogger(__name__)

BOXES_FOLDER = "gt_bbox"
PUBLISHED_BOXES = 25_259


def load_multi_query(root: str | Path) -> tuple[Sample, ...]:
    """Load the hand-drawn boxes that show a query's person in the query's camera; opens no image.

    Those of Market-1501 contain the queries themselves, under the same file names.

    Args:
        root: the data folder, its parent, or one of its folders of images.

    Returns:
        Samples sorted by file name, only those that share identity and camera with a query.

    Raises:
        FileNotFoundError: there is no folder gt_bbox next to the others, or it contains no image.
        ValueError: an image name does not give identity and camera.

    Source: Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015, section 5.
    """
    boxes_line = f"    {BOXES_FOLDER + '/':<20} boxes drawn by hand, from the same archive"
    tree = f"{market_tree(FOLDER_NAMES[0])}\n{boxes_line}"
    parts = (*MARKET_FOLDERS, BOXES_FOLDER)
    layout = Layout("Market-1501 with multiple queries", FOLDER_NAMES, (parts,), tree)
    folder, (_, query, _, boxes) = find_folder(root, layout)
    dataset = read_market_folders(folder, (boxes, query, query), "market1501")  # the gallery is not needed
    if len(dataset.train) != PUBLISHED_BOXES:
        warn_once(
            logger,
            f"market1501: {len(dataset.train):,} images (published {PUBLISHED_BOXES:,}) in "
            f"{folder / boxes}; multi-query scores cannot be compared with published ones",
        )
    wanted = {(sample.pid, sample.camid) for sample in dataset.query}
    return tuple(sample for sample in dataset.train if (sample.pid, sample.camid) in wanted)
