"""Check a data set by name: counts, faults, what the protocol can score, and a page to look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reid_gl.data.checking.check import DatasetReport, check_dataset
from reid_gl.data.checking.split_counts import Spread
from reid_gl.data.datasets import load_dataset
from reid_gl.evaluation.scores.protocol import Preflight, check_test_set
from reid_gl.experiment.checking.check_findings import judge_dataset, scored_copies
from reid_gl.experiment.checking.check_sheet import make_contact_sheet
from reid_gl.files import write_text
from reid_gl.own_files import check_replaceable
from reid_gl.records import ReidDataset

COLUMNS = ("images", "identities", "cameras", "no identity", "one image", "images each", "width", "height")


def run_check_dataset(
    name: str,
    root: str | Path,
    *,
    pattern: str = "",
    split_map: str = "",
    leave_out: str = "",
    sheet: str | Path | None = None,
    force: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Load a data set, read all its images, and say whether it can be trained on and scored.

    Args:
        name: as load_dataset takes it.
        root: the data folder or its parent.
        pattern: as load_dataset takes it.
        split_map: as load_dataset takes it.
        leave_out: as load_dataset takes it.
        sheet: HTML file for a contact sheet; its folder must exist.
        force: replace a file of that name even if it is not a contact sheet.
        progress: called with (done, total), in images.

    Returns:
        A dictionary for JSON: the report, the matches of the queries, errors, warnings, the table as text,
        and `sound`, which is true if there are no errors.

    Raises:
        FileNotFoundError: the data set or the folder of the sheet does not exist.
        FileExistsError: another file has the name of the sheet.
        ValueError: the data set's own files contradict themselves.
    """
    page = None if sheet is None else _check_sheet_path(Path(sheet), force=force)
    dataset = load_dataset(name, root, pattern=pattern, split_map=split_map, leave_out=leave_out)
    report = check_dataset(dataset, progress=progress)
    preflight = _preflight(dataset)
    findings = judge_dataset(report, preflight)
    table = format_splits(report)
    if page is not None:
        write_text(page, make_contact_sheet(dataset, report, findings, table))
    uses_cameras = isinstance(preflight, Preflight) and preflight.use_cameras
    return {
        "root": str(root),
        **asdict(report),
        "label_conflicts": [[asdict(one) for one in group] for group in report.label_conflicts],
        "leaked_copies": [[asdict(one) for one in group] for group in report.leaked_copies],
        "scored_copies": [
            [asdict(one) for one in pair] for pair in scored_copies(report, uses_cameras=uses_cameras)
        ],
        "matches": asdict(preflight) if isinstance(preflight, Preflight) else None,
        "errors": list(findings.errors),
        "warnings": list(findings.warnings),
        "table": table,
        "sheet": None if page is None else str(page),
        "sound": not findings.errors,
    }


def format_splits(report: DatasetReport) -> str:
    """Return the counts of each split, one line each; spreads are given as minimum, median and maximum."""
    rows = [["", *COLUMNS]]
    for split, counts in report.splits.items():
        whole = (counts.images, counts.identities, counts.cameras, counts.without_identity)
        cells = [f"{count:,}" for count in (*whole, counts.single_image_identities)]
        spreads = (counts.images_per_identity, counts.width, counts.height)
        rows.append([split, *cells, *(_format_spread(spread) for spread in spreads)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *cells in rows:
        padded = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([name.ljust(widths[0]), *padded]))
    return "\n".join(lines)


def _format_spread(spread: Spread | None) -> str:
    return "-" if spread is None else f"{spread.min:g}/{spread.median:g}/{spread.max:g}"


def _check_sheet_path(path: Path, *, force: bool) -> Path:
    """Check the path of the sheet now rather than after all images have been read."""
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of the contact sheet {path} does not exist: make it first")
    if path.is_dir():
        raise IsADirectoryError(
            f"the contact sheet {path} is a folder: name a file, such as {path / 'sheet.html'}"
        )
    check_replaceable(path, force=force)
    return path


def _preflight(dataset: ReidDataset) -> Preflight | str:
    """Return what can be scored, or a sentence that says why nothing can."""
    try:
        return check_test_set(dataset)
    except ValueError as error:
        return str(error)
