from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reid_gl.data.datasets.own.own_data import LabelledImage, as_samples
from reid_gl.data.preparing.make_split import divide_given_test, make_split, read_labelled_images
from reid_gl.evaluation import check_protocol
from reid_gl.records import ReidDataset, Sample


def people(num_people: int, *camids: int) -> list[Sample]:
    """Every person once for each camera number given."""
    return [
        Sample(f"{pid:03d}_{place}.jpg", pid, camid)
        for pid in range(1, num_people + 1)
        for place, camid in enumerate(camids)
    ]


def sides(dataset: ReidDataset) -> tuple[set[int], set[int]]:
    """Identities of training and test."""
    test = (*dataset.query, *dataset.gallery)
    return {sample.pid for sample in dataset.train}, {sample.pid for sample in test}


def test_by_hand() -> None:
    dataset = make_split(people(4, 0, 0, 0, 1), queries_per_camera=2)
    train, test = sides(dataset)
    assert (len(train), len(test)) == (2, 2)
    assert [s.path for s in dataset.train] == [
        f"{pid:03d}_{place}.jpg" for pid in sorted(train) for place in range(4)
    ]
    # camera 0 gives two of its three images, camera 1 keeps its only one
    assert [s.path for s in dataset.query] == [
        f"{pid:03d}_{place}.jpg" for pid in sorted(test) for place in (0, 1)
    ]
    assert [s.path for s in dataset.gallery] == [
        f"{pid:03d}_{place}.jpg" for pid in sorted(test) for place in (2, 3)
    ]


@settings(max_examples=100, deadline=None)
@given(
    cameras=st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=6), min_size=6, max_size=20),
    share=st.floats(0.05, 0.95),
    queries=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_identities_are_disjoint_and_every_query_has_a_match_in_another_camera(
    cameras: list[list[int]], share: float, queries: int, seed: int
) -> None:
    samples = [
        Sample(f"{pid}_{place}", pid, camid)
        for pid, camids in enumerate(cameras, start=1)
        for place, camid in enumerate(camids)
    ]
    eligible = sum(len(set(camids)) > 1 for camids in cameras)
    count = max(2, round((1 - share) * len(cameras)))
    if count > eligible or count > len(cameras) - 2:
        with pytest.raises(ValueError, match=r"identities cannot be held out|at least 4 are needed"):
            make_split(samples, train_share=share, queries_per_camera=queries, seed=seed)
        return
    dataset = make_split(samples, train_share=share, queries_per_camera=queries, seed=seed)
    train, test = sides(dataset)
    assert not train & test
    assert len(test) == count
    assert sorted((*dataset.train, *dataset.query, *dataset.gallery), key=repr) == sorted(samples, key=repr)
    assert check_protocol(dataset.query, dataset.gallery, camera_filter="on").num_scored == len(dataset.query)
    assert {sample.pid for sample in dataset.query} == test
    assert max(Counter((sample.pid, sample.camid) for sample in dataset.query).values()) <= queries


@pytest.mark.parametrize("seed", range(8))
def test_unknown_cameras_keep_a_match_in_the_gallery(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = [Sample(f"{pid}_{n}", pid) for pid in range(1, 13) for n in range(int(rng.integers(2, 6)))]
    dataset = make_split(samples, queries_per_camera=3, seed=seed)
    assert {sample.pid for sample in dataset.query} == {sample.pid for sample in dataset.gallery}
    assert len(sides(dataset)[0]) == 6


def test_the_split_follows_the_seed_and_not_the_order_of_the_samples() -> None:
    samples = people(20, 0, 1, 1)
    first = make_split(samples)
    assert make_split(samples[::-1]) == first
    assert len({make_split(samples, seed=seed).train for seed in range(5)}) == 5


def test_train_share() -> None:
    for share, expected in ((0.1, 2), (0.5, 10), (0.75, 15), (0.9, 18)):
        assert len(sides(make_split(people(20, 0, 1), train_share=share))[0]) == expected


def test_distractors_go_to_the_gallery_and_junk_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    extra = [Sample("0.jpg", 0, 0), Sample("00.jpg", 0, 1), Sample("junk.jpg", -1, 0)]
    dataset = make_split([*extra, *people(4, 0, 1)])
    assert [sample.path for sample in dataset.gallery if sample.pid == 0] == ["0.jpg", "00.jpg"]
    assert not {0, -1} & {sample.pid for sample in (*dataset.train, *dataset.query)}
    assert all(sample.pid != -1 for sample in dataset.gallery)
    assert "identity 0 marks distractors: 2 of its images go to the gallery" in caplog.text


@pytest.mark.parametrize("share", [0.0, 1.0, -1.0, float("nan")])
def test_share_out_of_range(share: float) -> None:
    with pytest.raises(ValueError, match=f"training identities must lie between 0 and 1, got {share}"):
        make_split(people(4, 0, 1), train_share=share)


def test_settings_and_data_that_do_not_do() -> None:
    with pytest.raises(ValueError, match="queries per camera must be at least 1, got 0"):
        make_split(people(4, 0, 1), queries_per_camera=0)
    with pytest.raises(
        ValueError,
        match=r"4 of 8 identities cannot be held out: only 0 were seen by two cameras, and two must "
        r"remain to train on; raise the fraction of training identities, now 0\.5, or give the cameras",
    ):
        make_split(people(8, 0, 0))
    for number in (0, 1, 3):
        with pytest.raises(ValueError, match=rf"^there are {number} identities, but at least 4 are"):
            make_split(people(number, 0, 1))


def test_a_labelled_folder(tmp_path: Path) -> None:
    for name in ("zoë/1.jpg", "anna/c1_1.jpg", "anna/c2_1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert as_samples(read_labelled_images(tmp_path)) == [
        Sample(f"{tmp_path}/anna/c1_1.jpg", 1),
        Sample(f"{tmp_path}/anna/c2_1.jpg", 1),
        Sample(f"{tmp_path}/zoë/1.jpg", 2),
    ]
    pattern = r"^(?P<pid>[^/]+)/(c(?P<camera>\d))?"
    found = read_labelled_images(str(tmp_path), pattern=pattern)
    assert [(image.camid, image.split) for image in found] == [(1, ""), (2, ""), (-1, "")]
    with pytest.raises(FileNotFoundError, match="nowhere does not exist"):
        read_labelled_images(tmp_path / "nowhere")


def test_folders_that_are_divided_already(tmp_path: Path) -> None:
    for name in ("train/anna/1.jpg", "train/bo/1.jpg", "val/cy/1.jpg", "val/cy/2.jpg", "val/dan/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    dataset = divide_given_test(read_labelled_images(tmp_path))
    names = [
        [str(Path(sample.path).relative_to(tmp_path)) for sample in part]
        for part in (dataset.train, dataset.query, dataset.gallery)
    ]
    # dan has one image: nobody can look for him, but he can be mistaken for cy
    assert names == [
        ["train/anna/1.jpg", "train/bo/1.jpg"],
        ["val/cy/1.jpg"],
        ["val/cy/2.jpg", "val/dan/1.jpg"],
    ]
    (tmp_path / "notes").mkdir()  # no division: another folder stands beside
    with pytest.raises(FileNotFoundError, match="no image"):
        read_labelled_images(tmp_path / "notes")
    assert {image.split for image in read_labelled_images(tmp_path)} == {""}


def given(*rows: tuple[str, str, int]) -> list[LabelledImage]:
    return [
        LabelledImage(f"{place}.jpg", pid, split, camid) for place, (split, pid, camid) in enumerate(rows)
    ]


def test_queries_and_gallery_of_a_given_division_stay(caplog: pytest.LogCaptureFixture) -> None:
    rows = given(
        ("training", "5", 0), ("probe", "7", 0), ("database", "7", 1), ("val", "8", 0), ("val", "8", 0),
        ("val", "8", 1), ("val", "9", 0), ("val", "9", 0), ("val", "-1", 0), ("test", "0", 3),
    )  # fmt: skip
    dataset = divide_given_test(rows)
    assert [sample.path for sample in dataset.train] == ["0.jpg"]
    assert [sample.path for sample in dataset.query] == ["1.jpg", "3.jpg"]
    assert "identity 0 marks distractors: 1 of its images" in caplog.text
    # 9 was seen by one camera only
    assert [sample.path for sample in dataset.gallery] == [
        "2.jpg",
        "4.jpg",
        "5.jpg",
        "6.jpg",
        "7.jpg",
        "9.jpg",
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (
            [("train", "1", 0), ("holdout", "2", 0)],
            r"has the word 'holdout': expected train, training, test, ",
        ),
        ([("train", "1", 0), ("", "2", 0)], "has the word ''"),
        ([("train", "1", 0)], "or nothing to test with: --ignore-split"),
        ([("val", "1", 0)], "has no training set"),
        (
            [("train", "1", 0), ("test", "1", 1), ("test", "2", 1)],
            r"divides images, not identities: 1 of them, the first is 1, are in .*\(--ignore-split\)",
        ),
    ],
)
def test_divisions_that_cannot_stay(rows: list[tuple[str, str, int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        divide_given_test(given(*rows))
