"""The contact sheet of a data set: some identities of each split, and every kind of fault."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from reid_gl.data.checking.check import DatasetReport, Occurrence
from reid_gl.data.checking.fingerprints import Box
from reid_gl.data.loading.images import crop_box, read_image
from reid_gl.experiment.checking.check_findings import Findings
from reid_gl.records import ReidDataset, Sample
from reid_gl.report.contact_sheet import (
    SheetImage,
    SheetRow,
    SheetSection,
    encode_thumbnail,
    format_contact_sheet,
)

NUM_IDENTITIES = 20
NUM_IMAGES = 12
NUM_FAULTS = 40


def make_contact_sheet(dataset: ReidDataset, report: DatasetReport, findings: Findings, table: str) -> str:
    """Make an HTML page for looking through a data set.

    Args:
        dataset: the data set; up to 20 identities of each split, drawn with a fixed seed, are shown with up
            to 12 images each.
        report: the report on this data set; up to 40 faults of each kind are shown.
        findings: its faults as sentences.
        table: its counts.

    Returns:
        The page; images are read again and embedded as thumbnails.
    """
    sections = [
        SheetSection("Errors", findings.errors or ("none",)),
        SheetSection("Warnings", findings.warnings or ("none",)),
        *_fault_sections(report),
        *(
            SheetSection(f"Some identities: {split}", rows=_identity_rows(samples))
            for split, samples in (
                ("train", dataset.train),
                ("query", dataset.query),
                ("gallery", dataset.gallery),
            )
        ),
    ]
    return format_contact_sheet(f"Data set {report.name}", table, sections)


def _identity_rows(samples: Sequence[Sample]) -> tuple[SheetRow, ...]:
    """Return some identities, each with images from all its cameras."""
    images_of: dict[int, list[Sample]] = defaultdict(list)
    for sample in sorted(samples, key=lambda one: (one.camid, one.path, one.box or ())):
        if sample.pid > 0:
            images_of[sample.pid].append(sample)
    pids = np.array(sorted(images_of))
    chosen = np.random.default_rng(0).permutation(pids)[:NUM_IDENTITIES]
    return tuple(_identity_row(pid, images_of[pid]) for pid in sorted(chosen.tolist()))


def _identity_row(pid: int, samples: Sequence[Sample]) -> SheetRow:
    places = np.linspace(0, len(samples) - 1, min(len(samples), NUM_IMAGES)).round().astype(int)
    shown = [samples[place] for place in places.tolist()]
    images = tuple(
        SheetImage(_thumbnail(one.path, one.box), f"{_camera(one.camid)}, {os.path.basename(one.path)}")
        for one in shown
    )
    return SheetRow(f"identity {pid}: {len(shown)} of {len(samples)} images", images)


def _fault_sections(report: DatasetReport) -> list[SheetSection]:
    groups = {
        "Training images in the test set": report.leaked_copies,
        "Test images that are nearly the same as training images": [
            (pair.first, pair.second) for pair in report.train_test_pairs
        ],
        "The same image, several identities": report.label_conflicts,
        "Queries that are nearly the same as gallery images": [
            (pair.first, pair.second) for pair in report.query_gallery_pairs
        ],
    }
    problems = [*report.unreadable, *report.empty_boxes]
    sections = [
        SheetSection(title, _how_many(len(found)), tuple(_fault_row(group) for group in found[:NUM_FAULTS]))
        for title, found in groups.items()
        if found
    ]
    if problems:
        lines = tuple(problem.problem for problem in problems[:NUM_FAULTS])
        sections.append(SheetSection("Images that cannot be used", (*_how_many(len(problems)), *lines)))
    return sections


def _how_many(count: int) -> tuple[str, ...]:
    return (f"{min(count, NUM_FAULTS)} of {count:,}",)


def _fault_row(group: Sequence[Occurrence]) -> SheetRow:
    images = tuple(
        SheetImage(
            _thumbnail(one.path, one.box),
            f"{one.split}, identity {one.pid}, {_camera(one.camid)}: {one.path}",
        )
        for one in group[:NUM_IMAGES]
    )
    return SheetRow(" / ".join(os.path.basename(one.path) for one in group[:2]), images)


def _camera(camid: int) -> str:
    return f"camera {camid}" if camid >= 0 else "camera unknown"


def _thumbnail(path: str, box: Box | None) -> bytes:
    """Return a sample's image as JPEG; b"" if it cannot be read."""
    try:
        image = read_image(path)
        return encode_thumbnail(image if box is None else crop_box(image, box, name=path))
    except (OSError, ValueError):
        return b""
