from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.datasets.prcc import load_prcc
from reid_gl.evaluation.scores.group_protocols import evaluate_group_protocols
from reid_gl.records import Features, Sample

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = (
    *(f"train/{pid:03}/{camera}_cropped_rgb001.jpg" for pid in (1, 12) for camera in "ABC"),
    *(f"test/{camera}/{pid:03}/cropped_rgb001.jpg" for pid in (2, 14) for camera in "ABC"),
    "val/001/A_cropped_rgb002.jpg",
)


@pytest.mark.parametrize("home", ["rgb", "prcc/rgb", "prcc", ""])
def test_every_accepted_root_gives_the_same(tmp_path: Path, make_files: MakeFiles, home: str) -> None:
    folder = make_files(tmp_path / home, NAMES)
    dataset = load_prcc(tmp_path)
    for part in ("train", "test", "test/A"):
        assert load_prcc(folder / part) == dataset
    root = str(folder)
    assert dataset.train[1:4] == (
        Sample(f"{root}/train/001/B_cropped_rgb001.jpg", 1, 1, clothes=2),
        Sample(f"{root}/train/001/C_cropped_rgb001.jpg", 1, 2, clothes=3),
        Sample(f"{root}/train/012/A_cropped_rgb001.jpg", 12, 0, clothes=24),
    )
    found = [(s.pid, s.camid, s.clothes) for s in (*dataset.gallery, *dataset.query)]
    assert found == [(2, 0, 4), (14, 0, 28), (2, 1, 4), (14, 1, 28), (2, 2, 5), (14, 2, 29)]
    assert len(dataset.train) == 6  # val is left out


def test_cameras_b_and_c_are_the_two_settings(tmp_path: Path, make_files: MakeFiles) -> None:
    dataset = load_prcc(make_files(tmp_path, NAMES))

    def features(samples: tuple[Sample, ...], places: list[float]) -> Features:
        return Features(
            np.array(places, np.float32)[:, None],
            np.array([s.pid for s in samples]),
            np.array([s.camid for s in samples]),
            clothes=np.array([s.clothes for s in samples]),
        )

    # B finds both people at once; C, in other clothes, finds the second person only
    query, gallery = features(dataset.query, [0, 10, 9, 10]), features(dataset.gallery, [0, 10])
    found = evaluate_group_protocols(query, gallery, ("same_clothes", "clothes_changing"), metric="euclidean")
    assert found["same_clothes"] is not None
    assert found["clothes_changing"] is not None
    assert (found["same_clothes"].rank(1), found["same_clothes"].num_scored) == (1, 2)
    assert (found["clothes_changing"].rank(1), found["clothes_changing"].mean_ap) == (0.5, 0.75)


def test_ten_draws_of_one_image_of_each_person(tmp_path: Path, make_files: MakeFiles) -> None:
    more = [f"test/A/{pid:03}/cropped_rgb{number:03}.jpg" for pid in (2, 14) for number in range(2, 6)]
    make_files(tmp_path, [*NAMES, *more])
    dataset = load_prcc(tmp_path, single_shot=True)
    assert dataset.name == "prcc_single_shot"
    assert [[dataset.gallery[place].pid for place in draw] for draw in dataset.draws] == [[2, 14]] * 10
    assert len(set(dataset.draws)) > 3
    assert load_prcc(tmp_path, single_shot=True) == dataset
    assert load_prcc(tmp_path).draws == ()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test/A/anna/a.jpg", r"folder 'anna' in .*test/A names no person: expected a number from 1"),
        ("test/A/000/a.jpg", r"folder '000' in .* names no person"),
        ("train/003/cropped.jpg", r"file name 'cropped\.jpg' in .*003 does not say what it shows: expected"),
    ],
)
def test_names_that_say_nothing(tmp_path: Path, make_files: MakeFiles, name: str, message: str) -> None:
    make_files(tmp_path, [*NAMES, name])
    with pytest.raises(ValueError, match=message):
        load_prcc(tmp_path)
