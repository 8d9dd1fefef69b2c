"""Data sets with several splits: checks split numbers, and draws random halves of the identities."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from reid_gl.records import ReidDataset, Sample

NUM_DRAWS = 10
NUM_HALVES = 2 * NUM_DRAWS
"""Each draw gives two splits; the second one swaps the cameras of query and gallery."""


def check_split(split: int, num_splits: int, title: str) -> None:
    """Check that a data set has a split of this number.

    Args:
        split: the number that the user gave.
        num_splits: number of splits, counted from 0.
        title: name of the data set in messages.

    Raises:
        ValueError: no such split.
    """
    if not 0 <= split < num_splits:
        raise ValueError(f"{title} has no split {split}: expected 0 to {num_splits - 1}")


def split_in_halves(
    samples: Sequence[Sample], *, split: int, name: str, num_tested: int | None = None
) -> ReidDataset:
    """Train on a random half of the people (rounded down) and test on the others.

    Splits 0 to 9 are draws of numpy's default generator, seeded with the split, from the sorted identities;
    camera 0 is the query and camera 1 the gallery. Splits 10 to 19 are the same draws with the cameras of
    query and gallery exchanged.

    Args:
        samples: images of two cameras, 0 and 1.
        split: 0 to 19.
        name: name of the data set in results and messages.
        num_tested: people to test on in place of a half.

    Returns:
        The data set, each part in the order of the samples.

    Raises:
        ValueError: no such split, a person is missing in one of the cameras, or there are too few people.
    """
    check_split(split, NUM_HALVES, name)
    seen = [{sample.pid for sample in samples if sample.camid == camera} for camera in (0, 1)]
    alone = sorted(seen[0] ^ seen[1])
    if alone:
        raise ValueError(
            f"{name}: {len(alone):,} of {len(seen[0] | seen[1]):,} people are seen by only one camera, the "
            f"first is identity {alone[0]}: expected every person in both; unpack the data set again"
        )
    people = np.array(sorted(seen[0]), dtype=np.int64)
    draw = np.random.default_rng(split % NUM_DRAWS).permutation(people)
    num_trained = len(people) // 2 if num_tested is None else len(people) - num_tested
    if num_trained < 0:
        raise ValueError(f"{name} tests on {num_tested} people, and there are {len(people)}: unpack it again")
    training = frozenset(draw[:num_trained].tolist())
    test = [sample for sample in samples if sample.pid not in training]
    query_camera = split // NUM_DRAWS
    return ReidDataset(
        tuple(sample for sample in samples if sample.pid in training),
        tuple(sample for sample in test if sample.camid == query_camera),
        tuple(sample for sample in test if sample.camid != query_camera),
        name,
    )
