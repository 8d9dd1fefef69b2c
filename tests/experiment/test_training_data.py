from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reid_gl.config import load_experiment
from reid_gl.data.loading.images import UnreadableImageError
from reid_gl.experiment.training_data import describe_images, load_training_data
from reid_gl.records import Sample
from tests.made_up_people import write_people


def test_the_whole_training_set_is_trained_on(words: list[str]) -> None:
    data = load_training_data(load_experiment(None, words))
    assert data.split is data.dataset
    assert data.pids == [1, 2, 3, 4, 5, 6, 7, 8]
    assert data.description == describe_images(data.dataset.train)
    first = data.sampler.epoch_batches(0)
    assert [len(first), len(first[0])] == [6, 8]


def test_with_a_holdout_the_test_set_is_not_in_the_split(words: list[str]) -> None:
    data = load_training_data(load_experiment(None, [*words, "DATA.HOLDOUT", "0.25"]))
    held_out = {sample.pid for sample in (*data.split.query, *data.split.gallery)}
    assert len(held_out) == 2
    assert held_out | {*data.pids} == {sample.pid for sample in data.dataset.train}
    assert not held_out & {*data.pids}
    assert data.description["number"] == len(data.split.train) == 36


def test_the_description_is_of_names_and_boxes_not_of_folders() -> None:
    sample = Sample("/here/a.jpg", 1, 0, box=(0, 0, 2, 2))
    expected = describe_images([sample])
    assert describe_images([replace(sample, path="/elsewhere/a.jpg")]) == expected
    for changed in ({"path": "/here/b.jpg"}, {"pid": 2}, {"camid": 1}, {"box": (0, 0, 2, 3)}):
        assert describe_images([replace(sample, **changed)]) != expected  # type: ignore[arg-type]


def test_broken_images_are_named(words: list[str], tmp_path: Path) -> None:
    root = write_people(tmp_path / "market1501")
    broken = root / "bounding_box_train" / "0003_c1s1_000001_00.jpg"
    broken.write_bytes(broken.read_bytes()[:-100])
    (root / "query" / "0101_c1s1_000000_00.jpg").write_bytes(b"")
    with pytest.raises(UnreadableImageError, match=r"2 of 105 images cannot be read: .*truncated.*0 bytes"):
        load_training_data(load_experiment(None, [*words, "DATA.ROOT", str(root)]))


def test_one_set_named_twice_is_refused(words: list[str], people: Path) -> None:
    for names in ("market1501,market1501", f"market1501,market1501={people}/../{people.name}"):
        with pytest.raises(ValueError, match=r"sets 1 and 2 of DATA.NAMES, share training images such as"):
            load_training_data(load_experiment(None, [*words, "DATA.NAMES", names]))
