from __future__ import annotations

import csv
from pathlib import Path

import h5py
import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.evaluation.feature_files import SUFFIXES, load_features
from reid_gl.records import Features


def _arrays(*, cameras: bool = True, groups: bool = False) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    arrays = {}
    for side, num in (("query", 3), ("gallery", 5)):
        arrays[side] = rng.normal(size=(num, 4)).astype(np.float32)
        arrays[f"{side}_pids"] = rng.integers(-1, 3, num)
        if cameras:
            arrays[f"{side}_camids"] = rng.integers(0, 3, num)
        for name in ("clothes", "dates") if groups else ():
            arrays[f"{side}_{name}"] = np.array([-1, *rng.integers(0, 9, num - 1).tolist()])
    return arrays


def _write(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    if path.suffix == ".npz":
        np.savez(path, **arrays)
    elif path.suffix == ".mat":
        savemat(path, arrays)
    elif path.suffix == ".csv":
        _write_csv(path, arrays)
    else:
        with h5py.File(path, "w") as file:
            for name, values in arrays.items():
                file[name] = values
    return path


def _write_csv(path: Path, arrays: dict[str, np.ndarray]) -> None:
    titles = {"camid": "camids", "clothes": "clothes", "date": "dates"}
    titles = {title: name for title, name in titles.items() if f"query_{name}" in arrays}
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["split", "pid", *titles, *range(4)])
        for side in ("gallery", "query"):
            for i, row in enumerate(arrays[side]):
                known = [arrays[f"{side}_{name}"][i] for name in titles.values()]
                writer.writerow([side, arrays[f"{side}_pids"][i], *known, *(repr(float(x)) for x in row)])


def _assert_same(loaded: tuple[Features, Features], arrays: dict[str, np.ndarray]) -> None:
    for side, features in zip(("query", "gallery"), loaded, strict=True):
        np.testing.assert_array_equal(features.embeddings, arrays[side])
        np.testing.assert_array_equal(features.pids, arrays[f"{side}_pids"])
        cameras = arrays.get(f"{side}_camids", np.full(len(arrays[side]), -1))
        np.testing.assert_array_equal(features.camids, cameras)
        for name in ("clothes", "dates"):
            np.testing.assert_array_equal(getattr(features, name), arrays.get(f"{side}_{name}"))
        assert features.embeddings.dtype == np.float32
        assert features.pids.dtype == features.camids.dtype == np.int64


@pytest.mark.parametrize(("cameras", "groups"), [(True, False), (False, False), (True, True), (False, True)])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_file_gives_the_same_features(
    suffix: str, cameras: bool, groups: bool, tmp_path: Path
) -> None:
    arrays = _arrays(cameras=cameras, groups=groups)
    _assert_same(load_features(_write(tmp_path / f"features{suffix}", arrays)), arrays)


def test_names_of_other_programs_are_known(tmp_path: Path) -> None:
    arrays = _arrays()
    renamed = {
        "query_f": arrays["query"],
        "gallery_f": arrays["gallery"],
        "query_label": arrays["query_pids"].astype(np.float64),
        "gallery_label": arrays["gallery_pids"],
        "query_cam": arrays["query_camids"],
        "gallery_cam": arrays["gallery_camids"],
    }
    _assert_same(load_features(_write(tmp_path / "result.mat", renamed)), arrays)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"query": None}, "has no query: expected one of the names query, query_f"),
        (
            {"gallery_pids": None},
            "has no gallery_pids: expected one of the names gallery_pids, gallery_label",
        ),
        ({"gallery_pids": np.arange(3)}, r"gallery_pids must be 5 whole numbers, got int64 \(3,\)"),
        ({"gallery_pids": np.arange(4)}, r"gallery looks transposed: \(5, 4\), but 4 identities"),
        (
            {"gallery_pids": np.full(5, 2**24 + 2, np.float32)},
            "gallery_pids are float32, which tells whole numbers apart below 16777216 only",
        ),
        ({"gallery_pids": np.full(5, np.inf)}, "gallery_pids must be 5 whole numbers, got float64"),
        ({"gallery_pids": np.full(5, 2**63, np.uint64)}, "gallery_pids must be 5 whole numbers, got uint64"),
        (
            {"query_camids": np.array([0.5, 1, 2])},
            r"query_camids must be 3 whole numbers, got float64 \(3,\)",
        ),
        ({"query": np.zeros(3)}, r"query must be numbers \(M, D\) with at least one row, got float64 \(3,\)"),
        ({"query": np.zeros((0, 4))}, r"query must be numbers .* got float64 \(0, 4\)"),
        ({"query": np.array([["a"], ["b"], ["c"]])}, r"query must be numbers .* got <U1 \(3, 1\)"),
        ({"query": np.array([[1.0], [np.nan], [np.inf]])}, r"query is not finite in 2 rows, first \[1, 2\]"),
        (
            {"query": np.array([[None], [None], [None]])},
            "query.npy holds Python objects, which",
        ),
    ],
)
def test_what_cannot_be_used(changes: dict[str, np.ndarray | None], message: str, tmp_path: Path) -> None:
    arrays = {key: value for key, value in {**_arrays(), **changes}.items() if value is not None}
    with pytest.raises(ValueError, match=message):
        load_features(_write(tmp_path / "features.npz", arrays))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("features.txt", "", "expected one of .npz, .mat, .h5, .hdf5, .csv"),
        ("features.npz", "no archive", "is not an .npz archive, or only part of one"),
        ("features.mat", "no matrix", "cannot be read as a MATLAB file"),
        ("features.npz", "", "is not an .npz archive, or only part of one"),
        ("features.csv", "split,pid,a\nquery,1,2\n", "gallery must be numbers"),
        ("features.csv", "split,pid,a\nquery,1,\udce4\n", "is not UTF-8 text"),
        ("features.h5", "no file", "is no HDF5 file, or damaged"),
        (
            "features.csv",
            "pid,split\n",
            r"must begin with .*\[,camid\]\[,clothes\]\[,date\],..., found 'pid,split'",
        ),
        (
            "features.csv",
            "split,pid,clothes,camid,a\n",
            "the columns camid, clothes, date must stand in this o",
        ),
        ("features.csv", "split,pid,a\nquery,x,1\n", "line 2: expected query or gallery, whole numbers"),
        ("features.csv", "split,pid,a\ntrain,1,1\n", "line 2: expected query or gallery, whole numbers"),
        (
            "features.csv",
            "split,pid,a\nquery,20201128123456789012,1\n",
            "line 2: '20201128123456789012' has a number beyond 64 bits: number the identities from 1",
        ),
        ("features.csv", "split,pid,a\nquery,1,1,2\n", "line 2: 4 columns, but 3 titles"),
    ],
)
def test_files_that_cannot_be_read(name: str, content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content, errors="surrogateescape")
    with pytest.raises(ValueError, match=message):
        load_features(tmp_path / name)


@pytest.mark.parametrize("suffix", [".npz", ".mat", ".h5"])
def test_files_that_were_cut_off(suffix: str, tmp_path: Path) -> None:
    path = _write(tmp_path / f"features{suffix}", _arrays())
    whole = path.read_bytes()
    for length in (1, 100, len(whole) // 2):
        path.write_bytes(whole[:length])
        with pytest.raises(
            ValueError, match=r"cannot be read as|has no|is no HDF5 file|is not an .npz archive"
        ):
            load_features(path)


def test_a_mat_file_of_matlab_7_3_has_columns_first(tmp_path: Path) -> None:
    arrays = _arrays()
    with h5py.File(tmp_path / "features.mat", "w") as file:
        for name, values in arrays.items():
            file[name] = np.atleast_2d(values).T
    _assert_same(load_features(tmp_path / "features.mat"), arrays)


def test_a_table_that_excel_wrote(tmp_path: Path) -> None:
    path = _write(tmp_path / "features.csv", _arrays())
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes() + b"\r\n")
    _assert_same(load_features(path), _arrays())


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(FileNotFoundError, match=r"folder.npz is not a file"):
        load_features(tmp_path / "folder.npz")
    with pytest.raises(FileNotFoundError, match=r"none.npz does not exist"):
        load_features(tmp_path / "none.npz")


def _list(**columns: object) -> dict[str, np.ndarray]:
    """Five rows as `reid-gl extract` writes them."""
    features = np.arange(1, 11, dtype=np.float32).reshape(5, 2)
    paths = np.array([f"{row}.jpg" for row in range(5)])
    return {"features": features, "paths": paths} | {k: np.array(v) for k, v in columns.items()}


def test_a_list_searches_itself(tmp_path: Path) -> None:
    path = _write(tmp_path / "list.npz", _list(pids=[3, 3, 5, 0, -1], valid=[True, True, False, True, True]))
    query, gallery = load_features(path)
    assert gallery is None
    assert query.embeddings.tolist() == [[1, 2], [3, 4], [7, 8], [9, 10]]
    assert query.pids.tolist() == [3, 3, 0, -1]
    assert query.camids.tolist() == [-1] * 4


def test_a_list_with_splits_has_a_gallery_where_one_is_in_it(tmp_path: Path) -> None:
    arrays = _list(pids=[3, 9, 3, 4, 4], splits=["query", "train", "gallery", "query", "gallery"])
    query, gallery = load_features(_write(tmp_path / "list.npz", arrays))
    assert gallery is not None
    assert (query.pids.tolist(), gallery.pids.tolist()) == ([3, 4], [3, 4])
    with pytest.raises(ValueError, match="query_pids must be 5 whole numbers"):
        load_features(_write(tmp_path / "list.npz", _list(pids=[1.5] * 5)))


def test_a_table_of_images_is_told_from_features(tmp_path: Path) -> None:
    (tmp_path / "crops.csv").write_text("path,pid,camid,split\na.jpg,1,0,query\n")
    with pytest.raises(
        ValueError, match=r"holds no features: compute them with `reid-gl extract .*crops\.csv"
    ):
        load_features(tmp_path / "crops.csv")
