"""Extract features of very many images in parts on disk; an interrupted extraction can be resumed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from reid_gl.files import partial_of, whole_or_nothing
from reid_gl.inference.bulk.crop_lists import CropList
from reid_gl.inference.bulk.embed_rows import Flags, Floats, RowReader, Texts, embed_rows
from reid_gl.inference.bulk.part_plans import (
    PART_ROWS,
    check_any_readable,
    check_on_error,
    claim_folder,
    log_resumed,
    part_ranges,
    same_parts,
)
from reid_gl.inference.bulk.row_digests import digest_rows
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.untrusted.npz import read_npz

PLAN_FILE = "plan.json"


@dataclass(frozen=True)
class FeatureParts:
    """Features of the rows of a list, stored on disk.

    Attributes:
        folder: folder of the parts.
        num_rows: M, the number of rows of the list.
        embedding_dim: D.
        part_rows: number of rows of each part except the last, including rejected rows.
        rejected: maps each row without a feature (numbered from 0) to the reason.
    """

    folder: Path
    num_rows: int
    embedding_dim: int
    part_rows: int
    rejected: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows that are not rejected, including rows with a box outside the image."""
        return self.num_rows - len(self.rejected)

    def __iter__(self) -> Iterator[tuple[Floats, Flags]]:
        """Yield features (rows, D) and flags (rows,) of one part after the other, without rejected rows.

        If a box does not overlap its image, the feature is zero and the flag is False.
        """
        for start in range(0, self.num_rows, self.part_rows):
            features, valid = read_part(part_path(self.folder, start))
            kept = np.array([start + row not in self.rejected for row in range(len(valid))], dtype=bool)
            if kept.any():
                yield features[kept], valid[kept]


def extract_in_parts(
    extractor: FeatureExtractor,
    crops: CropList,
    folder: Path,
    *,
    identity: dict[str, Any],
    batch_size: int = 64,
    part_rows: int = PART_ROWS,
    on_error: str = "stop",
    show_progress: bool = False,
) -> FeatureParts:
    """Compute features in parts; each part's file appears only when it is complete.

    Existing parts are kept if the list still has the same images and boxes in their rows. Other parts are
    computed again.

    Args:
        extractor: computes the features; its colour order does not matter here.
        crops: crops to compute features of.
        folder: folder of the parts, created if needed.
        identity: plain values that determine the features, such as the file and the settings of the network.
        batch_size: number of rows per batch, after which the progress bar is updated.
        part_rows: number of rows per part, which is the most that is lost if the program is killed.
        on_error: one of ON_ERROR; "skip" continues without images that cannot be read, and reports them.
        show_progress: show a progress bar with the estimated time left.

    Returns:
        All parts.

    Raises:
        ValueError: the folder belongs to another list or network; an image, video or feature is broken; or
            no row of the list can be read.
        FileExistsError: the folder holds other files.
        FileNotFoundError: an image does not exist.
    """
    check_on_error(on_error)
    dim = extractor.embedding_dim
    claim_folder(folder, PLAN_FILE, {"part_rows": part_rows, "embedding_dim": dim, "network": identity})
    ranges = part_ranges(len(crops), part_rows)
    finished = _finished_parts(crops, folder, ranges, skip=on_error == "skip")
    done = sum(len(ranges[start]) for start in finished)
    log_resumed(folder, done, len(crops))
    rejected = dict(item for start, reasons in finished.items() for item in _rejected(start, reasons))
    reader = RowReader(crops, skip=on_error == "skip")
    disable = None if show_progress else True
    try:
        with tqdm(total=len(crops), initial=done, unit="crop", desc="features", disable=disable) as bar:
            for start, rows in ranges.items():
                if start not in finished:
                    digest = digest_rows(crops, rows.start, rows.stop)
                    arrays = embed_rows(extractor, reader, rows, batch_size, bar.update)
                    _write_part(part_path(folder, start), *arrays, digest)
                    rejected.update(_rejected(start, arrays[2]))
    finally:
        reader.close()
    check_any_readable(crops, rejected)
    return FeatureParts(folder, len(crops), dim, part_rows, rejected)


def part_path(folder: Path, start: int) -> Path:
    """Return the path of the part that begins with row `start`."""
    return folder / f"{start:012d}.npz"


def read_part(path: Path) -> tuple[Floats, Flags]:
    """Read the features and flags of one part."""
    try:
        part = read_npz(path, ("features", "valid"))
        return part["features"], part["valid"]
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{path} is broken ({error}): delete it and run again to recompute it") from None


def remove_parts(parts: FeatureParts) -> None:
    """Delete the parts and their plan, and the folder if it is then empty."""
    starts = range(0, parts.num_rows, parts.part_rows)
    for path in [*(part_path(parts.folder, start) for start in starts), parts.folder / PLAN_FILE]:
        path.unlink(missing_ok=True)
        partial_of(path).unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # the folder holds other files
        parts.folder.rmdir()


def _write_part(path: Path, features: Floats, valid: Flags, reasons: Texts, digest: str) -> None:
    with whole_or_nothing(path) as partial, partial.open("wb") as file:
        np.savez(file, features=features, valid=valid, reasons=reasons, digest=np.array(digest))


def _finished_parts(
    crops: CropList, folder: Path, ranges: Mapping[int, range], *, skip: bool
) -> dict[int, Texts]:
    """Map the first row of each part that can be kept to the reasons of its rejected rows."""
    origins = {
        start: _read_origin(part_path(folder, start))
        for start in ranges
        if part_path(folder, start).is_file()
    }
    same = same_parts(crops, folder, ranges, {start: digest for start, (digest, _) in origins.items()})
    reasons = {start: origins[start][1] for start in same}
    return {start: texts for start, texts in reasons.items() if skip or not (texts != "").any()}


def _read_origin(path: Path) -> tuple[str, Texts]:
    """Read the digest of a part's rows ("" if the part is broken) and the reasons of rejected rows."""
    try:
        part = read_npz(path, ("digest", "reasons"))
        return str(part["digest"]), part["reasons"]
    except (OSError, ValueError, KeyError):
        return "", np.zeros(0, np.str_)


def _rejected(start: int, reasons: Texts) -> list[tuple[int, str]]:
    return [(start + place, reason) for place, reason in enumerate(reasons.tolist()) if reason]
