from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from reid_gl.data.datasets.sysu_mm01 import load_sysu_mm01
from reid_gl.evaluation.scores.protocol import check_protocol

MakeFiles = Callable[[Path, Iterable[str]], Path]
PEOPLE = {"train_id.txt": "1,3\n", "val_id.txt": "4", "test_id.txt": "2,5\n"}
ABSENT = ("cam4", 5)


@pytest.fixture
def make_sysu(make_files: MakeFiles) -> Callable[[Path], Path]:
    """Five people with three images in each camera; person 5 is not in camera 4."""

    def make(root: Path) -> Path:
        names = [
            f"cam{camera}/{pid:04}/{number:04}.jpg"
            for camera in range(1, 7)
            for pid in range(1, 6)
            for number in (1, 2, 3)
            if (f"cam{camera}", pid) != ABSENT
        ]
        make_files(root, names)
        for name in names:
            (root / name).write_text(name)  # different bytes: no query is in the gallery, too
        (root / "exp").mkdir()
        for name, text in PEOPLE.items():
            (root / "exp" / name).write_text(text)
        return root

    return make


def drawn(dataset, draw: int) -> list[str]:  # noqa: ANN001
    paths = [Path(dataset.gallery[place].path) for place in dataset.draws[draw]]
    return ["/".join(path.parts[-3:]) for path in paths]


@pytest.mark.parametrize("home", ["", "SYSU-MM01"])
def test_our_own_draws_are_the_same_everywhere(
    tmp_path: Path, make_sysu: Callable[[Path], Path], home: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_sysu(tmp_path / home)
    dataset = load_sysu_mm01(tmp_path)
    assert load_sysu_mm01(folder / "exp") == dataset
    assert "rand_perm_cam.mat is missing, so the 10 galleries are our own draws" in caplog.text
    assert "52 training images" not in caplog.text
    assert len(dataset.train) == 3 * 6 * 3
    assert {sample.pid for sample in dataset.train} == {1, 3, 4}
    assert Counter((Path(s.path).parts[-3], s.pid) for s in dataset.query) == dict.fromkeys(
        [("cam3", 2), ("cam3", 5), ("cam6", 2), ("cam6", 5)], 3
    )
    # cameras 2 and 3 stand in one room
    assert {Path(s.path).parts[-3]: s.camid for s in (*dataset.train, *dataset.query)} == {
        **{"cam1": 0, "cam2": 1, "cam3": 1},
        **{"cam4": 2, "cam5": 3, "cam6": 4},
    }
    assert len(dataset.draws) == 10
    assert len({tuple(draw) for draw in dataset.draws}) > 5
    for draw in range(10):
        groups = [path.rsplit("/", 1)[0] for path in drawn(dataset, draw)]
        first = ["cam1/0002", "cam1/0005", "cam2/0002", "cam2/0005", "cam4/0002"]
        assert sorted(groups) == [*first, "cam5/0002", "cam5/0005"]
    assert check_protocol(dataset.query, dataset.gallery).num_scored == 12


def test_indoor_and_several_shots(tmp_path: Path, make_sysu: Callable[[Path], Path]) -> None:
    make_sysu(tmp_path)
    dataset = load_sysu_mm01(tmp_path, indoor=True, num_shots=10)
    assert dataset.name == "sysu_mm01_indoor_multi"
    assert all(len(draw) == 2 * 2 * 3 for draw in dataset.draws)  # all three images: there are no ten
    assert {path[:4] for path in drawn(dataset, 0)} == {"cam1", "cam2"}


def cells(num_images: int = 3) -> np.ndarray:
    """A permutation for each draw, person and camera: draw d takes image 1 + d % 3 first."""
    cameras = np.empty((6, 1), dtype=object)
    for camera in range(6):
        people = np.empty((5, 1), dtype=object)
        for pid in range(5):
            rows = [np.roll(np.arange(1, num_images + 1), -draw) for draw in range(10)]
            is_absent = (f"cam{camera + 1}", pid + 1) == ABSENT
            people[pid, 0] = np.zeros((0, 0)) if is_absent else np.array(rows, dtype=np.float64)
        cameras[camera, 0] = people
    return cameras


def test_the_draws_of_the_authors(
    tmp_path: Path, make_sysu: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    path = make_sysu(tmp_path) / "exp" / "rand_perm_cam.mat"
    savemat(path, {"rand_perm_cam": cells()})
    dataset = load_sysu_mm01(tmp_path)
    assert "rand_perm_cam.mat is missing" not in caplog.text
    for draw in range(10):
        assert {path.rsplit("/", 1)[1] for path in drawn(dataset, draw)} == {f"{1 + draw % 3:04}.jpg"}
    pairs = load_sysu_mm01(tmp_path, num_shots=2)
    assert [path for path in drawn(pairs, 1) if path.startswith("cam1/0002")] == [
        "cam1/0002/0002.jpg",
        "cam1/0002/0003.jpg",
    ]
    savemat(path, {"rand_perm_cam": cells(num_images=7)})
    with pytest.raises(ValueError, match=r"draws image 0004 of .*cam1/0002, which does not exist"):
        load_sysu_mm01(tmp_path)
    savemat(path, {"rand_perm_cam": cells()[:3]})
    with pytest.raises(ValueError, match=r"has no 10 draws for person 2 in cam4: take the file"):
        load_sysu_mm01(tmp_path)


def test_lists_of_people_that_are_none(tmp_path: Path, make_sysu: Callable[[Path], Path]) -> None:
    make_sysu(tmp_path)
    (tmp_path / "exp" / "test_id.txt").write_text("2,five")
    with pytest.raises(ValueError, match=r"test_id\.txt reads '2,five': expected the numbers of people"):
        load_sysu_mm01(tmp_path)
