"""Hold out training identities as a small test set, so that no choice is made on the real test set."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from reid_gl.records import ReidDataset, Sample

FEWEST_IDENTITIES = 4


def hold_out_identities(train: Sequence[Sample], share: float, *, seed: int = 0) -> ReidDataset:
    """Move some identities of a training set into a query set and a gallery.

    Only identities seen by at least two cameras are held out (or, if cameras are unknown, identities with at
    least two images). For each identity, every camera with two or more images gives its first image as a
    query. If no camera has two images, the first camera gives its only image. All other images go to the
    gallery, so every query has a match from another camera.

    If the training set has no cameras at all, every held-out image is a query that is searched among all the
    others, and the gallery is empty.

    Args:
        train: training samples.
        share: fraction of the identities to hold out, in (0, 1); at least two identities are held out.
        seed: seed of the random choice.

    Returns:
        The remaining training samples, and a query set and gallery of the held-out identities.

    Raises:
        ValueError: share is out of range, or too few identities can be held out or would remain.
    """
    if not 0 < share < 1:
        raise ValueError(f"the fraction of held-out identities must lie between 0 and 1, got {share}")
    groups = group_identities(train)
    advice = "lower DATA.HOLDOUT, or set it to 0 to keep the last epoch"
    held = choose_test_identities(groups, share, seed=seed, advice=advice)
    query, gallery = divide_test_identities([groups[pid] for pid in sorted(held)])
    if all(sample.camid == -1 for sample in train):
        query, gallery = [sample for sample in train if sample.pid in held], []
    kept = tuple(sample for sample in train if sample.pid not in held)
    return ReidDataset(kept, tuple(query), tuple(gallery), name="held-out training identities")


def group_identities(samples: Sequence[Sample]) -> dict[int, list[Sample]]:
    """Group samples by identity; both keep their order."""
    groups: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[sample.pid].append(sample)
    return dict(groups)


def choose_test_identities(
    groups: Mapping[int, Sequence[Sample]], share: float, *, seed: int, advice: str
) -> set[int]:
    """Draw identities that can be scored: seen by two cameras, or twice if cameras are unknown.

    Args:
        groups: samples by identity.
        share: fraction of the identities to draw; at least two are drawn.
        seed: seed of the random choice.
        advice: what to do if there are too few identities, for the error message.

    Returns:
        The chosen identities.

    Raises:
        ValueError: too few identities can be drawn or would remain.
    """
    eligible = [pid for pid in sorted(groups) if can_be_scored(groups[pid])]
    if len(groups) < FEWEST_IDENTITIES:
        raise ValueError(
            f"there are {len(groups)} identities, but at least {FEWEST_IDENTITIES} are needed, two to train "
            "on and two to test on: check how the identities are read"
        )
    count = max(2, round(share * len(groups)))
    if count > len(eligible) or count >= len(groups) - 1:
        has_cameras = any(sample.camid >= 0 for samples in groups.values() for sample in samples)
        needed = "were seen by two cameras" if has_cameras else "have two images"
        raise ValueError(
            f"{count} of {len(groups)} identities cannot be held out: only {len(eligible)} {needed}, and two "
            f"must remain to train on; {advice}"
        )
    chosen = np.random.default_rng(seed).choice(eligible, size=count, replace=False)
    return {int(pid) for pid in chosen}


def divide_test_identities(
    groups: Iterable[Sequence[Sample]], *, queries_per_camera: int = 1
) -> tuple[list[Sample], list[Sample]]:
    """Divide test images into queries and a gallery, so that each query has a match.

    The match comes from another camera if cameras are known. For each identity, every camera with two or more
    images gives its first images as queries, but keeps at least one for the gallery. If no camera has two
    images, the first camera gives its only image. All other images form the gallery.

    Args:
        groups: samples of one identity each, from at least two cameras, or at least two samples if cameras
            are unknown.
        queries_per_camera: largest number of queries per identity and camera.

    Returns:
        Query samples and gallery samples.

    Raises:
        ValueError: queries_per_camera is below 1.
    """
    if queries_per_camera < 1:
        raise ValueError(f"queries per camera must be at least 1, got {queries_per_camera}")
    query: list[Sample] = []
    gallery: list[Sample] = []
    for samples in groups:
        cameras = list(_by_camera(samples).values())
        asking = [taken[:-1] for taken in cameras if len(taken) > 1] or cameras[:1]
        chosen = {sample for taken in asking for sample in taken[:queries_per_camera]}
        query.extend(sample for sample in samples if sample in chosen)
        gallery.extend(sample for sample in samples if sample not in chosen)
    return query, gallery


def can_be_scored(samples: Sequence[Sample]) -> bool:
    """Return whether a query of this identity would have a match: two cameras, or two images if unknown."""
    cameras = _by_camera(samples)
    return len(cameras) > 1 or (-1 in cameras and len(samples) > 1)


def _by_camera(samples: Sequence[Sample]) -> dict[int, list[Sample]]:
    cameras: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        cameras[sample.camid].append(sample)
    return dict(sorted(cameras.items()))
