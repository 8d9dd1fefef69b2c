from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import pytest
from numpy.typing import NDArray

from reid_gl.data.datasets.reading import cuhk03_extract
from reid_gl.data.datasets.reading.cuhk03_extract import MARKER, MAT_NAME, STYLES, extract_cuhk03_images

Image8 = NDArray[np.uint8]
Cells = dict[tuple[int, int], Image8]


def image(seed: int, height: int = 7, width: int = 4) -> Image8:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


PAIRS: list[tuple[int, Cells]] = [
    (2, {(0, 0): image(1), (0, 5): image(2, 9, 3), (1, 4): image(3), (1, 9): image(4)}),
    (1, {(0, 1): image(5)}),
]
NAMES = {"1_001_1_01": 1, "1_001_2_06": 2, "1_002_1_05": 3, "1_002_2_10": 4, "2_001_1_02": 5}


def store(mat: h5py.File, name: str, value: NDArray[Any], dtype: Any = None) -> Any:
    """Write an array as MATLAB 7.3 does: its memory (first axis fastest) under reversed axes."""
    reversed_axes = np.reshape(value.ravel(order="F"), value.shape[::-1])
    return mat.create_dataset(name, data=reversed_axes, dtype=dtype or value.dtype).ref


def store_cells(mat: h5py.File, name: str, people: int, images: Cells) -> Any:
    cells = np.empty((people, 10), dtype=object)
    for place in np.ndindex(people, 10):
        key = f"#refs#/{name}_{place[0]}_{place[1]}"
        if place in images:
            cells[place] = store(mat, key, images[place])
        else:  # an empty cell holds the sizes of an empty array
            cells[place] = mat.create_dataset(key, data=np.zeros(2, dtype=np.uint64)).ref
    return store(mat, f"#refs#/{name}", cells, h5py.ref_dtype)


@pytest.fixture
def make_mat() -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(path, "w") as mat:
            for style in STYLES:
                pairs = np.empty((len(PAIRS), 1), dtype=object)
                for i, (people, images) in enumerate(PAIRS):
                    pairs[i, 0] = store_cells(mat, f"{style}{i}", people, images)
                store(mat, style, pairs, h5py.ref_dtype)
        return path

    return make


@pytest.fixture
def mat_path(tmp_path: Path, make_mat: Callable[[Path], Path]) -> Path:
    return make_mat(tmp_path / "raw" / MAT_NAME)


def test_writes_every_image_upright_and_in_rgb(mat_path: Path, tmp_path: Path) -> None:
    out = extract_cuhk03_images(mat_path, tmp_path / "out", show_progress=False)
    assert out == tmp_path / "out"
    for style in STYLES:
        assert sorted(path.stem for path in (out / style).iterdir()) == sorted(NAMES)
        for name, seed in NAMES.items():
            written = cv2.imread(str(out / style / f"{name}.png"))
            assert written is not None
            expected = image(2, 9, 3) if seed == 2 else image(seed)
            np.testing.assert_array_equal(written[:, :, ::-1], expected)
    content = json.loads((out / MARKER).read_text())
    assert content == {"source": MAT_NAME, "images": {"labeled": 5, "detected": 5}}


def test_default_place_progress_and_protocol_files(
    mat_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cuhk03_new_protocol_config_labeled.mat").write_bytes(b"beside the release folder")
    out = extract_cuhk03_images(str(mat_path))
    assert out == mat_path.parent / "cuhk03_images"
    assert (out / "cuhk03_new_protocol_config_labeled.mat").read_bytes() == b"beside the release folder"
    assert not (out / "cuhk03_new_protocol_config_detected.mat").exists()
    assert "CUHK03" in capsys.readouterr().err


def test_a_finished_result_is_used_again(mat_path: Path, tmp_path: Path) -> None:
    out = extract_cuhk03_images(mat_path, tmp_path / "out", show_progress=False)
    mat_path.unlink()
    (out / "labeled" / "1_001_1_01.png").write_bytes(b"untouched")
    assert extract_cuhk03_images(mat_path, out) == out
    assert (out / "labeled" / "1_001_1_01.png").read_bytes() == b"untouched"


def test_an_interrupted_run_leaves_nothing(
    mat_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(path: Path, image: Image8) -> None:
        raise KeyboardInterrupt

    out = tmp_path / "out"
    out.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(cuhk03_extract, "_write_png", interrupt)
        with pytest.raises(KeyboardInterrupt):
            extract_cuhk03_images(mat_path, out, show_progress=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "raw"]
    assert not list(out.iterdir())
    assert (extract_cuhk03_images(mat_path, out, show_progress=False) / MARKER).is_file()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"cuhk-03\.mat does not exist: expected"):
        extract_cuhk03_images(tmp_path / MAT_NAME)


def test_a_foreign_folder_is_not_overwritten(mat_path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for out in (mat_path.parent, tmp_path / "file"):
        with pytest.raises(
            FileExistsError, match="not a finished extraction: expected a new or empty folder"
        ):
            extract_cuhk03_images(mat_path, out)


def test_a_file_that_is_not_hdf5(tmp_path: Path) -> None:
    (tmp_path / MAT_NAME).write_bytes(b"MATLAB 5.0 MAT-file")
    with pytest.raises(ValueError, match="is not HDF5: expected"):
        extract_cuhk03_images(tmp_path / MAT_NAME)


def test_a_file_without_the_cells(tmp_path: Path) -> None:
    h5py.File(tmp_path / MAT_NAME, "w").close()
    with pytest.raises(ValueError, match="has no 'labeled': expected"):
        extract_cuhk03_images(tmp_path / MAT_NAME)
    assert [path.name for path in tmp_path.iterdir()] == [MAT_NAME]


def test_cells_of_another_shape(tmp_path: Path) -> None:
    with h5py.File(tmp_path / MAT_NAME, "w") as mat:
        pair = store(mat, "pair", np.zeros((3, 8)))
        store(mat, "labeled", np.array([[pair]], dtype=object), h5py.ref_dtype)
    with pytest.raises(ValueError, match=r"camera pair 1 of 'labeled' in .* has shape \(3, 8\): expected"):
        extract_cuhk03_images(tmp_path / MAT_NAME)


def test_images_of_another_type(mat_path: Path, tmp_path: Path) -> None:
    with h5py.File(mat_path, "r+") as mat:
        del mat["#refs#/labeled0_0_0"]
        cells = mat["#refs#/labeled0"]
        cells[0, 0] = store(mat, "odd", np.zeros((7, 4, 2)))
    with pytest.raises(
        ValueError, match=r"1_001_1_01\.png in .* is float64 of shape \(2, 4, 7\): expected uint8"
    ):
        extract_cuhk03_images(mat_path, tmp_path / "out", show_progress=False)
    assert not (tmp_path / "out").exists()
