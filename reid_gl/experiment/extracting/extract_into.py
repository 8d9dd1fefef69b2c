"""Add features of a folder, a list, a video or a sequence to a gallery."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.experiment.extracting.extract import write_rejects
from reid_gl.experiment.gallery import Recording, sightings_of
from reid_gl.gallery import Gallery, Sighting
from reid_gl.gallery.engines.open_engine import file_of
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.extract_many import FeatureParts, extract_in_parts, remove_parts
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor

logger = logging.getLogger(__name__)


def extract_into_gallery(
    crops: CropList,
    uri: str,
    make_extractor: Callable[[], FeatureExtractor],
    recording: Recording,
    *,
    audit_log: str | None = None,
    identity: dict[str, Any],
    batch_size: int,
    on_error: str = "stop",
    show_progress: bool = False,
) -> dict[str, Any]:
    """Compute features and add all in one transaction; calling it again after an interruption resumes it.

    Boxes that contain no pixel of their image, and images that are skipped, are not added.

    Args:
        crops: the images, boxes or frames to compute features of.
        uri: address of the gallery, which is created if it does not exist.
        make_extractor: makes the extractor; called after all other checks.
        recording: camera and times.
        audit_log: see Gallery.
        identity: plain values that the features depend on, such as weights and settings.
        batch_size: images per batch.
        on_error: "stop" at an image that cannot be read, or "skip" it.
        show_progress: draw a progress bar with the estimated time left.

    Returns:
        A summary of what was added, as plain values.

    Raises:
        FileExistsError: the file of rejects exists already.
        ValueError: as Gallery, sightings_of and extract_in_parts, for example if the features and the gallery
            differ in dimension.
    """
    crops.check_unicode("a gallery")
    place, rejects = _places(uri, crops)
    sightings = sightings_of(crops.arrays(), len(crops), replace(recording, video=crops.video))
    parts = extract_in_parts(
        _make_fitting(make_extractor, uri, audit_log),
        crops,
        place.with_name(f"{place.name}.parts"),
        identity=identity,
        batch_size=batch_size,
        on_error=on_error,
        show_progress=show_progress,
    )
    with Gallery(uri, audit_log=audit_log) as gallery:
        num_added = len(gallery.add_parts(_with_sightings(parts, sightings)))
    if parts.rejected:
        write_rejects(rejects, crops, parts.rejected)
    remove_parts(parts)
    return {"gallery": uri, "added": num_added, **_summarise(parts, num_added, rejects)}


def _summarise(parts: FeatureParts, num_added: int, rejects: Path) -> dict[str, Any]:
    """Return what the parts hold that was not added, as plain values, and where it is listed."""
    return {
        "embedding_dim": parts.embedding_dim,
        "boxes_outside": len(parts) - num_added,
        "rejected": len(parts.rejected),
        "rejects_file": str(rejects) if parts.rejected else None,
    }


def _places(uri: str, crops: CropList) -> tuple[Path, Path]:
    """Return the beginning of the names of temporary files, and the file of rejects, which must not exist."""
    place = (file_of(uri) or Path("gallery")).absolute()
    place = place.with_name(f"{place.name}.{crops.name}")
    rejects = place.with_name(f"{place.name}.rejects.csv")
    if os.path.lexists(rejects):
        raise FileExistsError(f"{rejects} exists: delete it when you have seen it")
    return place, rejects


def _make_fitting(
    make_extractor: Callable[[], FeatureExtractor], uri: str, audit_log: str | None
) -> FeatureExtractor:
    """Make the extractor and check that its features have the dimension of the gallery, if that has one."""
    with Gallery(uri, audit_log=audit_log) as gallery:  # during the work, others may write to it
        expected = gallery.stats().dimension
    extractor = make_extractor()
    if expected not in (None, extractor.embedding_dim):
        raise ValueError(
            f"gallery {uri} holds features of {expected} numbers, this network makes "
            f"{extractor.embedding_dim}: use the network that filled it, or another gallery"
        )
    return extractor


def _with_sightings(
    parts: FeatureParts, sightings: Sequence[Sighting]
) -> Iterator[tuple[NDArray[np.float32], list[Sighting]]]:
    """Yield the valid features of each part with their sightings; there is one for each row of the list."""
    kept = [sighting for row, sighting in enumerate(sightings) if row not in parts.rejected]
    first = 0
    for features, valid in parts:
        own = kept[first : first + len(features)]
        first += len(features)
        if valid.any():
            yield features[valid], list(compress(own, valid))
