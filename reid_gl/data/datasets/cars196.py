"""Cars-196, also called Stanford Cars."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

from reid_gl.data.datasets.reading.cars196_annotations import NUM_CLASSES, read_annotations
from reid_gl.data.datasets.reading.class_images import list_folders, read_class_folder
from reid_gl.data.datasets.reading.counts import SplitCounts, check_counts
from reid_gl.data.datasets.reading.folders import Layout, find_folder, require_files
from reid_gl.records import ReidDataset, Sample

FOLDER_NAMES = (
    "cars196",
    "cars-196",
    "cars_196",
    "stanford_cars",
    "stanford-cars-dataset",
    "car_data",
    "cars",
)
TREE = """\
cars196/
    car_ims/    000001.jpg …
    cars_annos.mat
or
cars196/
    cars_train/    00001.jpg …
    cars_test/     00001.jpg …
    devkit/cars_train_annos.mat
    cars_test_annos_withlabels.mat    (or in devkit/)
or, a folder for each of the 196 classes,
cars196/ (or in it images/, or train/ and test/)
    AM General Hummer SUV 2000/    …
    …
    smart fortwo Convertible 2012/"""
NUM_TRAINING_CLASSES = 98
KS = (1, 2, 4, 8)
PUBLISHED = SplitCounts(
    training_images=8_054,
    training_identities=98,
    query_images=8_131,
    query_identities=98,
    gallery_images=0,
)

_ONE_FILE = ("cars_annos.mat", "car_ims")
_FIRST_CLASS = "AM General Hummer SUV 2000"
_CLASS_FOLDERS = (
    (f"train/{_FIRST_CLASS}", f"test/{_FIRST_CLASS}"),
    (f"images/{_FIRST_CLASS}",),
    (_FIRST_CLASS,),
)
_TWO_FILES = tuple(
    ("devkit/cars_train_annos.mat", f"{place}cars_test_annos_withlabels.mat", "cars_train", "cars_test")
    for place in ("", "devkit/")
)
VARIANTS = (_ONE_FILE, *_TWO_FILES, *_CLASS_FOLDERS)


def load_cars196(root: str | Path) -> ReidDataset:
    """Load Cars-196 in any of its layouts; no image is opened.

    Classes 1 to 98 are for training, 99 to 196 for testing. The authors' own split is not used, because it is
    one for classification. Class folders are numbered in alphabetical order. Within a make this differs from
    the authors' order, but the first 98 classes are the same.

    Args:
        root: the data folder, its parent, or one of its parts.

    Returns:
        The data set, each part sorted by path; every query searches all other test images.

    Raises:
        FileNotFoundError: the folders are missing, or an annotated image is missing.
        ValueError: the annotations cannot be read, or there are not 196 class folders.

    Source: Krause et al., "3D Object Representations for Fine-Grained Categorization", 3dRR 2013; the split
        as in Song et al., "Deep Metric Learning via Lifted Structured Feature Embedding", CVPR 2016.
    """
    folder, variant = find_folder(root, Layout("Cars-196", FOLDER_NAMES, VARIANTS, TREE))
    if variant in _CLASS_FOLDERS:
        samples = _read_class_folders([folder / PurePosixPath(entry).parent for entry in variant], folder)
    else:
        samples = _read_annotated(folder, variant)
    samples = sorted(samples, key=lambda sample: sample.path)
    train = tuple(sample for sample in samples if sample.pid <= NUM_TRAINING_CLASSES)
    test = tuple(sample for sample in samples if sample.pid > NUM_TRAINING_CLASSES)
    dataset = ReidDataset(train, test, (), "cars196", KS)
    check_counts(dataset, PUBLISHED, folder)
    return dataset


def _read_annotated(folder: Path, variant: tuple[str, ...]) -> list[Sample]:
    """Samples from one annotation file for all images, or from separate ones for training and test images."""
    if variant == _ONE_FILE:
        samples = read_annotations(folder / variant[0], folder, "relative_im_path")
    else:
        samples = [
            sample
            for file, images in zip(variant[:2], variant[2:], strict=True)
            for sample in read_annotations(folder / file, folder / images, "fname")
        ]
    require_files([sample.path for sample in samples], f"the annotations of {folder}")
    return samples


def _read_class_folders(places: list[Path], folder: Path) -> list[Sample]:
    """Samples of class folders, which may lie in several places."""
    found = [(name, place) for place in places for name in list_folders(place)]
    names = sorted({name for name, _ in found})
    if len(names) != NUM_CLASSES:
        raise ValueError(
            f"{len(names)} class folders in {folder}: expected {NUM_CLASSES}, because their order decides "
            "which classes are for training; move other folders away or unpack the data set again"
        )
    numbers = {name: number for number, name in enumerate(names, start=1)}
    return [sample for name, place in found for sample in read_class_folder(place / name, numbers[name])]
