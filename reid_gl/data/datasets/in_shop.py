"""In-Shop Clothes Retrieval, a part of DeepFashion."""

from __future__ import annotations

from pathlib import Path

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.disjoint import check_disjoint
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.data.datasets.reading.image_lists import read_image_list
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = (
    "In-shop Clothes Retrieval Benchmark",
    "In-shop_Clothes_Retrieval_Benchmark",
    "In-Shop",
    "In_Shop",
    "InShop",
    "DeepFashion",
)
LIST = "list_eval_partition.txt"
VARIANTS = tuple((place, images) for place in (f"Eval/{LIST}", LIST) for images in ("Img/img", "img"))
TREE = """\
In-shop Clothes Retrieval Benchmark/
    Eval/list_eval_partition.txt    (or next to img/)
    Img/img/ (or img/)
        WOMEN/Dresses/id_00000002/02_1_front.jpg …"""
PARTS = ("train", "query", "gallery")
KS = (1, 10, 20, 40)
PUBLISHED = SplitCounts(
    training_images=25_882,
    training_identities=3_997,
    query_images=14_218,
    query_identities=3_985,
    gallery_images=12_612,
)

_TITLES = "image_name item_id evaluation_status"
_ROW = r"(?P<path>img/.*\S)[ \t]+id_0*(?P<pid>[1-9]\d*)[ \t]+(?P<part>train|query|gallery)"
_EXAMPLE = "img/WOMEN/Dresses/id_00000002/02_1_front.jpg id_00000002 train"


def load_in_shop(root: str | Path) -> ReidDataset:
    """Load the In-Shop Clothes Retrieval set; no image is opened.

    Args:
        root: the data folder, its parent, or one of its parts.

    Returns:
        The data set, each part sorted by path; a class is one item.

    Raises:
        FileNotFoundError: the list or the images are missing.
        ValueError: a line of the list does not give an image, its item and its part; the number of lines
            differs from the stated one; or an item is in both training and test set.

    Source: Liu et al., "DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich
        Annotations", CVPR 2016.
    """
    folder, (place, images) = find_folder(
        root, Layout("In-Shop Clothes Retrieval", FOLDER_NAMES, VARIANTS, TREE)
    )
    samples = _read_list(folder / place, (folder / images).parent)
    train, query, gallery = (tuple(samples[part]) for part in PARTS)
    dataset = ReidDataset(train, query, gallery, "in_shop", KS)
    check_disjoint(dataset, str(folder / place))
    require_files([sample.path for sample in train + query + gallery], str(folder / place))
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _read_list(path: Path, folder: Path) -> dict[str, list[Sample]]:
    """Samples of each part, by path."""
    rows = read_image_list(path, folder, titles=_TITLES, row=_ROW, example=_EXAMPLE, counted=True)
    samples: dict[str, list[Sample]] = {part: [] for part in PARTS}
    for image in sorted(rows):
        samples[rows[image]["part"]].append(Sample(image, int(rows[image]["pid"])))
    return samples
