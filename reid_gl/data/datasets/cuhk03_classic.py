"""CUHK03 under its original protocol: twenty splits with 100 test people each."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from reid_gl.data.datasets.cuhk03_np import FOLDER_NAMES
from reid_gl.data.datasets.reading.cuhk03_extract import IMAGES_FOLDER, MARKER, MAT_NAME
from reid_gl.data.datasets.reading.folders import Layout, find_folder, list_images
from reid_gl.data.datasets.reading.image_names import match_names
from reid_gl.data.datasets.reading.splits import check_split
from reid_gl.records import ReidDataset, Sample
from reid_gl.untrusted.hdf5 import has_name, open_hdf5, read_array, read_references

NUM_SPLITS = 20
TEST_SETS = "testsets"
"""Where the file stores the splits: cells with camera pair and number of each test person."""

_NAME = re.compile(r"([1-9])_(\d{3})_([12])_\d\d\.")
_EXPECTED = "{camera pair}_{person, 3 digits}_{view, 1 or 2}_{image, 2 digits}, such as 1_001_1_01.png"


def load_cuhk03_classic(root: str | Path, *, labelled: bool, split: int = 0) -> ReidDataset:
    """Load CUHK03 with 100 test people, from the original file and its extracted images; opens no image.

    The query is view 1 of the test people (camera 0), the gallery all their images of view 2 (camera 1);
    torchreid also searches the other way round. All other people train: 1,367. The paper set another 100 of
    them aside and left out camera pairs 4 and 5. The identity is 1,000 times the camera pair plus the person:
    1_007 is 1007. Published scores draw one gallery image per person (evaluate_single_shot) and are means
    over the 20 splits.

    Args:
        root: the folder of cuhk-03.mat, its parent, or the folder of extracted images next to the file.
        labelled: use hand-drawn boxes; False uses detected boxes.
        split: number of the official test set, 0 to 19.

    Returns:
        The data set, each part sorted by file name.

    Raises:
        FileNotFoundError: nothing is found; or only the file is found, and its images must be extracted
            first (the message gives the command); or a test person has no image.
        ValueError: the split does not exist, an image has another name, or the file has no test sets.

    Source: Li et al., "DeepReID: Deep Filter Pairing Neural Network for Person Re-identification",
    CVPR 2014.
    """
    check_split(split, NUM_SPLITS, "CUHK03")
    style = "labeled" if labelled else "detected"
    folder, variant = find_folder(root, _layout(style))
    mat_path = folder / variant[0]
    if variant == (MAT_NAME,):
        raise FileNotFoundError(_how_to_extract(folder))
    samples = _read_images(folder / variant[-1])
    test_people = _read_test_people(mat_path, split)
    missing = sorted(test_people - {sample.pid for sample in samples})
    if missing:
        raise FileNotFoundError(
            f"{len(missing)} of the {len(test_people)} test people in split {split} of {mat_path} have no "
            f"image in {folder / variant[-1]}, the first is {missing[0]}; extract the images again"
        )
    test = [sample for sample in samples if sample.pid in test_people]
    return ReidDataset(
        tuple(sample for sample in samples if sample.pid not in test_people),
        tuple(sample for sample in test if sample.camid == 0),
        tuple(sample for sample in test if sample.camid == 1),
        "cuhk03_classic_labelled" if labelled else "cuhk03_classic_detected",
    )


def _layout(style: str) -> Layout:
    """Layouts in order of preference: our extracted images, those of torchreid and fast-reid, the file."""
    tree = f"""\
cuhk03_release/
    {MAT_NAME}
    {IMAGES_FOLDER}/    written by `reid-gl extract-cuhk03`
        {MARKER}
        {style}/    1_001_1_01.png …"""
    extracted = (MAT_NAME, f"{IMAGES_FOLDER}/{MARKER}", f"{IMAGES_FOLDER}/{style}")
    by_peers = (f"cuhk03_release/{MAT_NAME}", f"images_{style}")
    return Layout(f"CUHK03 ({style})", FOLDER_NAMES, (extracted, by_peers, (MAT_NAME,)), tree)


def _how_to_extract(folder: Path) -> str:
    mat, out = (shlex.quote(str(folder / name)) for name in (MAT_NAME, IMAGES_FOLDER))
    return (
        f"the images of CUHK03 are still inside {folder / MAT_NAME}: "
        f"run `reid-gl extract-cuhk03 --mat {mat} --out {out}` once, then load {folder} again"
    )


def _read_images(folder: Path) -> list[Sample]:
    """Samples of one folder of extracted images, by file name."""
    return [
        Sample(path, 1000 * int(match[1]) + int(match[2]), int(match[3]) - 1)
        for path, match in match_names(folder, list_images(folder), _NAME, _EXPECTED)
    ]


def _read_test_people(mat_path: Path, split: int) -> frozenset[int]:
    """Identities of one official test set, which the file numbers by camera pair and person."""
    with open_hdf5(mat_path) as mat:
        cells = read_references(mat, TEST_SETS).ravel() if has_name(mat, TEST_SETS) else ()
        stored = read_array(mat, cells[split]) if len(cells) == NUM_SPLITS else None
    if stored is None or stored.ndim != 2 or len(stored) != 2:
        raise ValueError(
            f"{mat_path} has no test sets: expected {TEST_SETS}, {NUM_SPLITS} cells with the camera pair "
            f"and number of each test person, as in {MAT_NAME} of the CUHK03 release; unpack it again"
        )
    pairs, people = stored.astype(int)  # HDF5 stores the axes of MATLAB in reverse order
    return frozenset((1000 * pairs + people).tolist())
