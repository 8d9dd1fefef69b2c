"""A small test set made of training identities, so that nothing is ever chosen on the real one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from reid_gl.records import ReidDataset, Sample


def hold_out_identities(train: Sequence[Sample], share: float, *, seed: int = 0) -> ReidDataset:
    """Take some identities out of a training set and make a query and gallery of them.

    Only identities seen by two cameras are taken (with two pictures, where cameras are unknown). Each
    camera with two pictures or more of an identity gives its first one as a query; if none has, the first
    camera does. All other pictures are the gallery, so every query has a match from another camera.

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
    groups: dict[int, list[Sample]] = defaultdict(list)
    for sample in train:
        groups[sample.pid].append(sample)
    eligible = [pid for pid in sorted(groups) if _can_be_scored(groups[pid])]
    count = max(2, round(share * len(groups)))
    if count > len(eligible) or count >= len(groups) - 1:
        raise ValueError(
            f"{count} of {len(groups)} identities cannot be held out: {len(eligible)} were seen by two "
            "cameras and two must remain to train on; lower DATA.HOLDOUT, or set it to 0 to keep the last "
            "epoch"
        )
    chosen = np.random.default_rng(seed).choice(eligible, size=count, replace=False)
    held = {int(pid) for pid in chosen}
    query: list[Sample] = []
    gallery: list[Sample] = []
    for pid in sorted(held):
        cameras = list(_by_camera(groups[pid]).values())
        asking = [taken for taken in cameras if len(taken) > 1] or cameras[:1]
        chosen_here = {taken[0] for taken in asking}
        query.extend(sample for sample in groups[pid] if sample in chosen_here)
        gallery.extend(sample for sample in groups[pid] if sample not in chosen_here)
    kept = tuple(sample for sample in train if sample.pid not in held)
    return ReidDataset(kept, tuple(query), tuple(gallery), name="held-out training identities")


def _can_be_scored(samples: Sequence[Sample]) -> bool:
    cameras = _by_camera(samples)
    return len(cameras) > 1 or (-1 in cameras and len(samples) > 1)


def _by_camera(samples: Sequence[Sample]) -> dict[int, list[Sample]]:
    cameras: dict[int, list[Sample]] = defaultdict(list)
    for sample in samples:
        cameras[sample.camid].append(sample)
    return dict(sorted(cameras.items()))
