"""CUHK03 under the 767/700 protocol, with hand-drawn or detected boxes."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.cuhk03_extract import IMAGES_FOLDER, MARKER, MAT_NAME
from reid_gl.data.datasets.reading.cuhk03_protocol import find_protocol, load_extracted, protocol_name
from reid_gl.data.datasets.reading.folders import Layout, find_folder
from reid_gl.data.datasets.reading.market_layout import MARKET_FOLDERS, read_market_folders
from reid_gl.records import ReidDataset

FOLDER_NAMES = ("cuhk03-np", "cuhk03_np", "cuhk03np", "cuhk03", "cuhk03_release", IMAGES_FOLDER)
PUBLISHED = {
    "labeled": SplitCounts(
        training_images=7_368,
        training_identities=767,
        query_images=1_400,
        query_identities=700,
        gallery_images=5_328,
    ),
}
PUBLISHED["detected"] = replace(PUBLISHED["labeled"], training_images=7_365, gallery_images=5_332)


def load_cuhk03_np(root: str | Path, *, labelled: bool = False) -> ReidDataset:
    """Load CUHK03-NP, from its folders or from images that we or peers extracted; no image is opened.

    Args:
        root: the data folder or its parent.
        labelled: use hand-drawn boxes; False uses detected boxes, the harder set.

    Returns:
        The data set, with two cameras, each part sorted by file name.

    Raises:
        FileNotFoundError: nothing is found; or only the original file is found, and its images must be
            extracted first (the message gives the command).
        ValueError: an image name does not give the identity and camera, or the protocol file is broken.

    Source: Li et al., "DeepReID", CVPR 2014; split by Zhong et al., "Re-ranking Person Re-identification
    with k-reciprocal Encoding", CVPR 2017.
    """
    style, name = ("labeled", "cuhk03_np_labelled") if labelled else ("detected", "cuhk03_np_detected")
    layout = _layout(style)
    folder, variant = find_folder(root, layout)
    if variant == layout.variants[0]:
        dataset = read_market_folders(folder, variant, name)
    elif variant in layout.variants[1:3]:
        dataset = load_extracted(folder, style, name, image_folder=variant[-1])
    else:
        raise FileNotFoundError(_how_to_extract(folder, style))
    check_counts(dataset, PUBLISHED[style], folder)
    return dataset


def _layout(style: str) -> Layout:
    """Layouts in order of preference: image folders, images extracted by us or by peers, the original."""
    tree = f"""\
cuhk03-np/
    {style}/
        bounding_box_train/    0003_c1_21.png …
        query/
        bounding_box_test/
or the original release, with the images that `reid-gl extract-cuhk03` extracts from it:
cuhk03_release/
    {MAT_NAME}
    {protocol_name(style)}
    {IMAGES_FOLDER}/
        {MARKER}
        {style}/    1_001_1_01.png …
or the images that torchreid and fast-reid extract, with the protocol next to them:
cuhk03/
    {protocol_name(style)}
    images_{style}/    1_001_1_01.png …"""
    folders = tuple(f"{style}/{part}" for part in MARKET_FOLDERS)
    by_peers = (protocol_name(style), f"images_{style}")
    variants = (folders, (MARKER, style), by_peers, (MAT_NAME,))
    return Layout(f"CUHK03-NP ({style})", FOLDER_NAMES, variants, tree)


def _how_to_extract(folder: Path, style: str) -> str:
    mat, out = (shlex.quote(str(folder / name)) for name in (MAT_NAME, IMAGES_FOLDER))
    needs_protocol = find_protocol(folder, style) is None
    return (
        f"the images of CUHK03 are still inside {folder / MAT_NAME}: "
        + (f"put {protocol_name(style)} next to it and " if needs_protocol else "")
        + f"run `reid-gl extract-cuhk03 --mat {mat} --out {out}` once, then load {folder} again"
    )
