"""Compares a loaded data set with the sizes that its authors published."""

from __future__ import annotations

import logging
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from reid_gl.data.datasets.reading.notices import warn_once
from reid_gl.records import DISTRACTOR_PID, ReidDataset

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SplitCounts:
    """Sizes of a data set; None for one that its authors did not publish.

    Attributes:
        training_images: training samples.
        training_identities: number of different people in them.
        query_images: query samples.
        query_identities: number of different people in them.
        gallery_images: gallery samples, with distractors, without junk.
        gallery_distractors: gallery samples of identity 0.
    """

    training_images: int | None
    training_identities: int | None
    query_images: int | None
    query_identities: int | None
    gallery_images: int | None
    gallery_distractors: int | None = 0


def count_dataset(dataset: ReidDataset) -> SplitCounts:
    """Count samples and identities.

    Args:
        dataset: any data set.

    Returns:
        Its sizes.
    """
    return SplitCounts(
        training_images=len(dataset.train),
        training_identities=len({sample.pid for sample in dataset.train}),
        query_images=len(dataset.query),
        query_identities=len({sample.pid for sample in dataset.query}),
        gallery_images=len(dataset.gallery),
        gallery_distractors=sum(sample.pid == DISTRACTOR_PID for sample in dataset.gallery),
    )


def check_counts(dataset: ReidDataset, published: SplitCounts, root: Path) -> None:
    """Warn, once for a data set and its folder, if its sizes are not the published ones.

    Args:
        dataset: what was loaded.
        published: the sizes that the authors published.
        root: the folder that it was loaded from.
    """
    names = [field.name.replace("_", " ") for field in fields(SplitCounts)]
    sizes = zip(names, astuple(count_dataset(dataset)), astuple(published), strict=True)
    differences = [
        f"{count:,} {name} (published {expected:,})"
        for name, count, expected in sizes
        if expected not in (None, count)
    ]
    if differences:
        warn_once(
            logger,
            f"{dataset.name}: {', '.join(differences)} in {root}; "
            "the scores cannot be compared with published ones",
        )
