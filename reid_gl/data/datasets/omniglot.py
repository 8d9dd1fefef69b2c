"""Omniglot: handwritten characters of fifty alphabets."""

from __future__ import annotations

from pathlib import Path

from reid_gl.data.datasets.reading.class_images import list_folders, read_class_folder
from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = ("omniglot", "omniglot-py", "omniglot-master")
PARTS = ("images_background", "images_evaluation")
VARIANTS = (PARTS, tuple(f"python/{part}" for part in PARTS))
TREE = """\
omniglot/ (or its folder python/)
    images_background/    training set
        Alphabet_of_the_Magi/character01/0709_01.png …
    images_evaluation/    test set
        Angelic/character01/0965_01.png …"""
KS = (1, 2, 4, 8)
PUBLISHED = SplitCounts(
    training_images=19_280,
    training_identities=964,
    query_images=13_180,
    query_identities=659,
    gallery_images=0,
)


def load_omniglot(root: str | Path) -> ReidDataset:
    """Load Omniglot; no image is opened.

    A class is one character of one alphabet. Classes are numbered from 1 in the order of their names, first
    those of the background set, which is for training, then those of the evaluation set.

    Args:
        root: the data folder, its parent, or one of its parts.

    Returns:
        The data set, each part sorted by path; every query searches all other test images.

    Raises:
        FileNotFoundError: the folders are missing, an alphabet has no character, or a character no image.

    Source: Lake et al., "Human-level Concept Learning through Probabilistic Program Induction", Science 2015.
    """
    folder, parts = find_folder(root, Layout("Omniglot", FOLDER_NAMES, VARIANTS, TREE))
    background, evaluation = (
        [folder / part / name for name in _list_characters(folder / part)] for part in parts
    )
    train = _read_characters(background, 1)
    test = _read_characters(evaluation, 1 + len(background))
    dataset = ReidDataset(train, test, (), "omniglot", KS)
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _list_characters(folder: Path) -> list[str]:
    """Paths alphabet/character, in the order of their names."""
    return [
        f"{alphabet}/{character}"
        for alphabet in list_folders(folder)
        for character in list_folders(folder / alphabet)
    ]


def _read_characters(folders: list[Path], first: int) -> tuple[Sample, ...]:
    """Samples of the characters, numbered from first."""
    return tuple(
        sample
        for number, folder in enumerate(folders, start=first)
        for sample in read_class_folder(folder, number)
    )
