"""A small test set made of training identities, so that nothing is ever chosen on the real one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from reid_gl.records import ReidDataset, Sample

FEWEST_IDENTITIES = 4


def hold_out_identities(train: Sequence[Sample], share: float, *, seed: int = 0) -> ReidDataset:
    """Take some identities out of a training set and make a query and gallery of them.

    Only identities seen by two cameras are taken (with two images, where cameras are unknown). Each
    camera with two images or more of an identity gives its first one as a query; if none has, the first
    camera does. All other images are the gallery, so every query has a match from another camera. In a
    training set without any camera every image is a query that searches all the others.

    Args:
        train: training samples.
        share: part of the identities to hold out, in (0, 1); at least two are.
        seed: of the choice.

    Returns:
        The remaining training samples, and a query and gallery of the identities held out.

    Raises:
        ValueError: share out of range, or too few identities to hold out or to leave.
    """
    if not 0 < share < 1:
        raise ValueError(f"the share of held-out identities must lie between 0 and 1, got {share}")
    groups = group_identities(train)
    advice = "lower DATA.HOLDOUT, or set it to 0 to keep the last epoch"
    held = choose_test_identities(groups, share, seed=seed, advice=advice)
    query, gallery = divide_test_identities([groups[pid] for pid in sorted(held)])
    if all(sample.camid == -1 for sample in train):
        query, gallery = [sample for sample in train if sample.pid in held], []
    kept = tuple(sample for sample in train if sample.pid not in held)
    return ReidDataset(kept, tuple(query), tuple(gallery), name="held-out training identities")


def group_identities(samples: Sequence[Sample]) -> dict[int, list[Sample]]:
    """Samples by identity, in their order."""
    groups: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.pid].append(sample)
    return dict(groups)


def choose_test_identities(
    groups: Mapping[int, Sequence[Sample]], share: float, *, seed: int, advice: str
) -> set[int]:
    """Draw identities that can be scored: seen by two cameras, or twice where cameras are unknown.

    Args:
        groups: samples by identity.
        share: part of the identities to draw; at least two are.
        seed: of the draw.
        advice: what to do if there are too few, for the message.

    Returns:
        The identities.

    Raises:
        ValueError: too few identities to draw or to leave.
    """
    eligible = [pid for pid in sorted(groups) if _can_be_scored(groups[pid])]
    if len(groups) < FEWEST_IDENTITIES:
        raise ValueError(
            f"there are {len(groups)} identities, and at least {FEWEST_IDENTITIES} are needed, two to train "
            "on and two to test on: check how the identities are read"
        )
    count = max(2, round(share * len(groups)))
    if count > len(eligible) or count >= len(groups) - 1:
        raise ValueError(
            f"{count} of {len(groups)} identities cannot be held out: {len(eligible)} were seen by two "
            f"cameras and two must remain to train on; {advice}"
        )
    chosen = np.random.default_rng(seed).choice(eligible, size=count, replace=False)
    return {int(pid) for pid in chosen}


def divide_test_identities(
    groups: Iterable[Sequence[Sample]], *, queries_per_camera: int = 1
) -> tuple[list[Sample], list[Sample]]:
    """Make queries and a gallery in which each query has a match, from another camera if there is one.

    Each camera with two images or more of an identity gives its first ones as queries and keeps at least
    one; if none has two, the first camera gives its only one. All others are the gallery.

    Args:
        groups: samples of one identity each, seen by two cameras, or two where cameras are unknown.
        queries_per_camera: how many of each identity, at most.

    Returns:
        Query and gallery.
    """
    query: list[Sample] = []
    gallery: list[Sample] = []
    for samples in groups:
        cameras = list(_by_camera(samples).values())
        asking = [taken[:-1] for taken in cameras if len(taken) > 1] or cameras[:1]
        chosen = {sample for taken in asking for sample in taken[:queries_per_camera]}
        query.extend(sample for sample in samples if sample in chosen)
        gallery.extend(sample for sample in samples if sample not in chosen)
    return query, gallery


def _can_be_scored(samples: Sequence[Sample]) -> bool:
    cameras = _by_camera(samples)
    return len(cameras) > 1 or (-1 in cameras and len(samples) > 1)


def _by_camera(samples: Sequence[Sample]) -> dict[int, list[Sample]]:
    cameras: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        cameras[sample.camid].append(sample)
    return dict(sorted(cameras.items()))
