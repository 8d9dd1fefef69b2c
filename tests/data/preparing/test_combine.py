from __future__ import annotations

import pytest

from reid_gl.data.preparing.combine import combine_training_sets
from reid_gl.records import ReidDataset, Sample


def _dataset(name: str, *people: tuple[int, int]) -> ReidDataset:
    train = tuple(Sample(f"{name}/{place}.jpg", pid, camid) for place, (pid, camid) in enumerate(people))
    return ReidDataset(train, (), (), name)


def test_by_hand() -> None:
    first = _dataset("a", (2, 0), (7, 3), (7, 0))
    second = _dataset("b", (2, 0), (1, 1))
    third = _dataset("c", (5, -1))
    samples = combine_training_sets([first, second, third])
    assert [(s.path, s.pid, s.camid, s.source) for s in samples] == [
        ("a/0.jpg", 2, 0, 0),
        ("a/1.jpg", 7, 3, 0),
        ("a/2.jpg", 7, 0, 0),
        ("b/0.jpg", 9, 4, 1),
        ("b/1.jpg", 8, 5, 1),
        ("c/0.jpg", 14, -1, 2),
    ]


def test_one_set_stays_as_it_is() -> None:
    dataset = _dataset("a", (2, 0), (7, -1))
    assert combine_training_sets([dataset]) == dataset.train


def test_a_set_to_test_on_only() -> None:
    with pytest.raises(ValueError, match="b has no training set: it can only be used for testing"):
        combine_training_sets([_dataset("a", (1, 0)), _dataset("b")])


@pytest.mark.parametrize("folder", ["a", "./a", "b/../a"])
def test_the_same_images_twice(folder: str) -> None:
    first, other = _dataset("a", (1, 0), (2, 0)), _dataset("b", (1, 0))
    again = ReidDataset((Sample(f"{folder}/1.jpg", 2, 0),), (), (), "a:2")
    with pytest.raises(
        ValueError, match=r"a and a:2, sets 1 and 3 of DATA.NAMES, share .* such as .*a/1.jpg"
    ):
        combine_training_sets([first, other, again])


def test_two_boxes_of_one_frame_are_two_images() -> None:
    one, two = (
        ReidDataset((Sample("frame.jpg", 1, 0, box=(0.0, 0.0, x, 9.0)),), (), (), name)
        for x, name in ((3.0, "a"), (4.0, "b"))
    )
    assert len(combine_training_sets([one, two])) == 2
