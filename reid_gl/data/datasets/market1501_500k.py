"""Market-1501 with half a million additional distractors in its gallery."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.market1501 import FOLDER_NAMES, load_market1501
from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.data.datasets.reading.market_layout import MARKET_FOLDERS, market_tree
from reid_gl.records import DISTRACTOR_PID, ReidDataset, Sample

DISTRACTORS_FOLDER = "images"
VARIANT = (*MARKET_FOLDERS, DISTRACTORS_FOLDER)

_NAME = re.compile(r"(?:0+|-1)_c0*([1-9]\d*)")
_EXPECTED = "0000_c{camera, from 1}… or -1_c{camera}…, such as 0000_c1s1_000151_01.jpg"


def load_market1501_500k(root: str | Path) -> ReidDataset:
    """Load Market-1501 and the 500k distractors; no image is opened.

    All images of the folder "images" are distractors (always wrong), with identity 0 or -1. The gallery of
    Market-1501 itself omits its images with identity -1, as usual.

    Args:
        root: the data folder, its parent, or one of its four image folders.

    Returns:
        The data set; the gallery is that of Market-1501 followed by the distractors, both by file name.

    Raises:
        FileNotFoundError: the folders are missing.
        ValueError: an image name does not give the identity and camera, or a distractor has an identity.

    Source: Zheng et al., "Scalable Person Re-identification: A Benchmark", ICCV 2015.
    """
    distractors_line = f"    {DISTRACTORS_FOLDER + '/':<20} distractors: 0000_c1….jpg"
    tree = f"{market_tree(FOLDER_NAMES[0])}\n{distractors_line}"
    folder, _ = find_folder(root, Layout("Market-1501+500k", FOLDER_NAMES, (VARIANT,), tree))
    market = load_market1501(folder)
    images = folder / DISTRACTORS_FOLDER
    distractors = tuple(
        Sample(path, DISTRACTOR_PID, int(match[1]) - 1)
        for path, match in match_names(images, list_images(images), _NAME, _EXPECTED)
    )
    return replace(market, gallery=market.gallery + distractors, name="market1501_500k")
