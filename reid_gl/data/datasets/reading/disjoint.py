"""Checks that no identity is in both the training set and the test set."""

from __future__ import annotations

from reid_gl.records import DISTRACTOR_PID, ReidDataset


def check_disjoint(dataset: ReidDataset, source: str) -> None:
    """Refuse a data set whose training identities are also in its test set; distractors do not count.

    Args:
        dataset: any data set.
        source: its origin, for the message.

    Raises:
        ValueError: an identity is in both.
    """
    train = {sample.pid for sample in dataset.train}
    test = {sample.pid for sample in (*dataset.query, *dataset.gallery)}
    both = sorted((train & test) - {DISTRACTOR_PID})
    if both:
        raise ValueError(
            f"{len(both):,} identities are in both the training set and the test set of {source}, the first "
            f"is {both[0]}: expected none, because scores would be too high; take the lists of one release"
        )
