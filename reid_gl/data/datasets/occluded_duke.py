"""Occluded-Duke: a new split of DukeMTMC-reID, with occluded people as queries."""

from __future__ import annotations

import logging
from pathlib import Path

from reid_gl.data.datasets.dukemtmc_reid import NOTICE
from reid_gl.data.datasets.reading.counts import SplitCounts
from reid_gl.data.datasets.reading.market_layout import load_market_layout
from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.records import ReidDataset

logger = logging.getLogger(__name__)

FOLDER_NAMES = ("Occluded_Duke", "Occluded-Duke", "Occluded-DukeMTMC", "OccludedDuke")
PUBLISHED = SplitCounts(
    training_images=15_618,
    training_identities=702,
    query_images=2_210,
    query_identities=519,
    gallery_images=17_661,
)


def load_occluded_duke(root: str | Path) -> ReidDataset:
    """Load a copy of Occluded-Duke; no image is opened.

    Its images are those of DukeMTMC-reID, so the notice about that set is logged, once per process and
    loader.

    Args:
        root: the data folder, its parent, or one of its three image folders.

    Returns:
        The data set; every query shows a partly occluded person.

    Raises:
        FileNotFoundError: the folders are missing.
        ValueError: an image name does not give the identity and camera.

    Source: Miao et al., "Pose-Guided Feature Alignment for Occluded Person Re-Identification", ICCV 2019.
    """
    warn_once(logger, NOTICE)
    return load_market_layout(
        root, name="occluded_duke", title="Occluded-Duke", folder_names=FOLDER_NAMES, published=PUBLISHED
    )
