"""Stanford Online Products: products sold on eBay."""

from __future__ import annotations

from pathlib import Path

from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.disjoint import check_disjoint
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.data.datasets.reading.image_lists import read_image_list
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("Stanford_Online_Products", "Stanford-Online-Products", "Online_Products", "SOP")
LISTS = ("Ebay_train.txt", "Ebay_test.txt")
TREE = """\
Stanford_Online_Products/
    bicycle_final/    111085122871_0.JPG …
    …
    toaster_final/
    Ebay_train.txt  Ebay_test.txt"""
KS = (1, 10, 100, 1000)
PUBLISHED = SplitCounts(
    training_images=59_551,
    training_identities=11_318,
    query_images=60_502,
    query_identities=11_316,
    gallery_images=0,
)

_TITLES = "image_id class_id super_class_id path"
_ROW = r"\d+[ \t]+(?P<pid>0*[1-9]\d{0,17})[ \t]+\d+[ \t]+(?P<path>\S.*)"
_EXAMPLE = "1 1 1 bicycle_final/111085122871_0.JPG"


def load_stanford_online_products(root: str | Path) -> ReidDataset:
    """Load Stanford Online Products; no image is opened.

    Args:
        root: the data folder, its parent, or one of its lists.

    Returns:
        The data set, each part sorted by path; a class is one product; queries search all other test images.

    Raises:
        FileNotFoundError: lists are missing, or a listed image is missing.
        ValueError: a line of a list does not give an image and its class, or a class is in both lists.

    Source: Song et al., "Deep Metric Learning via Lifted Structured Feature Embedding", CVPR 2016.
    """
    folder, _ = find_folder(root, Layout("Stanford Online Products", FOLDER_NAMES, (LISTS,), TREE))
    train, test = (_read_list(folder / name, folder) for name in LISTS)
    dataset = ReidDataset(train, test, (), "stanford_online_products", KS)
    check_disjoint(dataset, str(folder))
    require_files([sample.path for sample in train + test], f"the lists of {folder}")
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _read_list(path: Path, folder: Path) -> tuple[Sample, ...]:
    """Samples of one list, by path."""
    rows = read_image_list(path, folder, titles=_TITLES, row=_ROW, example=_EXAMPLE)
    return tuple(Sample(image, int(rows[image]["pid"])) for image in sorted(rows))
