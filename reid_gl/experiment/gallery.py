"""Turn files and lists of features into rows of a gallery, and search results into answers to print."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reid_gl.gallery import Gallery, Match, Sighting
from reid_gl.gallery.interface.sightings import UNKNOWN
from reid_gl.untrusted.npz import read_npz
from reid_gl.untrusted.regular_file import why_no_file

ROWS_AT_ONCE = 4_096
NUMBERS = {"camera": ("camids",), "tracklet": ("tracklets", "ids"), "pid": ("pids",), "frame": ("frames",)}
"""Arrays to read each field of a row from, the first one present; the ids of a sequence are tracks."""
ROW_ARRAYS = (
    "features",
    "valid",
    "paths",
    "times",
    "boxes",
    *(n for names in NUMBERS.values() for n in names),
)
WIDTHS = {"boxes": (4,)}
"""Shape of each row of the arrays whose rows are not single values."""


@dataclass(frozen=True)
class Recording:
    """Facts about a recording that a list of images does not state.

    Attributes:
        camera: camera of all rows; None takes the list's.
        start: time of the first frame, in seconds since 1970; None if unknown.
        frame_rate: frames per second; required with start.
        video: file that the frames come from; None for image files.
    """

    camera: int | None = None
    start: float | None = None
    frame_rate: float | None = None
    video: Path | None = None

    def __post_init__(self) -> None:
        if self.start is not None and not (self.frame_rate and 0 < self.frame_rate < float("inf")):
            raise ValueError(
                f"times of frames need their rate as well as their start, got {self.frame_rate}: give --fps"
            )


def sightings_of(arrays: Mapping[str, NDArray[Any]], count: int, recording: Recording) -> list[Sighting]:
    """Make sightings from the columns of a list of images.

    Args:
        arrays: columns (M,) or (M, 4) by name, as CropList.arrays and files of `reid-gl extract` have them,
            and "times".
        count: M.
        recording: facts that the columns do not state.

    Raises:
        ValueError: a column has another length, or a start is given and there are no frame numbers.
    """
    for name, column in arrays.items():
        if len(column) != count:
            raise ValueError(f"{name} has {len(column)} rows, the features have {count}")
    columns: dict[str, list[Any]] = {
        field: next((arrays[name].tolist() for name in names if name in arrays), [UNKNOWN] * count)
        for field, names in NUMBERS.items()
    }
    if recording.camera is not None:
        columns["camera"] = [recording.camera] * count
    columns["time"] = _times(arrays, count, recording)
    video = str(recording.video) if recording.video else ""
    columns["path"] = arrays["paths"].tolist() if "paths" in arrays else [video] * count
    columns["box"] = _boxes(arrays, count)
    return [Sighting(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def add_file(gallery: Gallery, path: Path, recording: Recording) -> dict[str, Any]:
    """Add the rows of an .npz file written by `reid-gl extract` or `reid-gl gallery export`, all or none.

    Returns:
        A summary of what was added, as plain values; boxes that contain no pixel of their image are left out.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file holds no such features, or as Gallery.add.
    """
    arrays = _read_arrays(path)
    features = arrays.pop("features")
    count = len(features)
    valid = arrays.pop("valid", np.ones(count, np.bool_)).astype(np.bool_)
    sightings = sightings_of({**arrays, "valid": valid}, count, recording)
    kept = np.flatnonzero(valid)

    def parts() -> Iterator[tuple[NDArray[np.float32], list[Sighting]]]:
        for start in range(0, len(kept), ROWS_AT_ONCE):
            rows = kept[start : start + ROWS_AT_ONCE]
            yield features[rows], [sightings[row] for row in rows]

    ids = gallery.add_parts(parts())
    return {"added": len(ids), "first": int(ids[0]) if len(ids) else None, "boxes_outside": count - len(kept)}


def plain_answers(names: Sequence[str], answers: Sequence[Sequence[Match]]) -> list[dict[str, Any]]:
    """Return answers for JSON: the name of each query, and the rows found for it."""
    return [
        {
            "query": name,
            "matches": [
                {
                    **asdict(match.sighting),
                    "id": match.id,
                    "score": match.score,
                    "probability": match.probability,
                    "reranked": match.reranked,
                }
                for match in answer
            ],
        }
        for name, answer in zip(names, answers, strict=True)
    ]


def _times(arrays: Mapping[str, NDArray[Any]], count: int, recording: Recording) -> list[float | None]:
    if recording.start is None:
        times = arrays.get("times", np.full(count, np.nan)).tolist()
        return [None if np.isnan(time) else time for time in times]
    if "frames" not in arrays:
        raise ValueError("a start is the time of the first frame, but these images have no frame numbers")
    assert recording.frame_rate is not None
    seconds = recording.start + (arrays["frames"] - 1) / recording.frame_rate
    return list(seconds.tolist())


def _boxes(arrays: Mapping[str, NDArray[Any]], count: int) -> list[tuple[float, ...] | None]:
    if "boxes" not in arrays:
        return [None] * count
    boxes = arrays["boxes"]
    is_whole = np.isnan(boxes).all(axis=1)
    return [None if whole else tuple(box) for whole, box in zip(is_whole, boxes.tolist(), strict=True)]


def _read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    if not path.is_file():
        raise FileNotFoundError(f"the file of features {path} {why_no_file(path)}")
    arrays = read_npz(path, ROW_ARRAYS)
    if "features" not in arrays or arrays["features"].ndim != 2:
        raise ValueError(f"{path} has no features (M, D): make it with `reid-gl extract`")
    for name, column in arrays.items():
        shape = (len(arrays["features"]), *WIDTHS.get(name, ()))
        words = name == "paths"
        if name != "features" and (
            column.shape != shape or column.dtype.kind not in ("U" if words else "biuf")
        ):
            raise ValueError(
                f"{path}: {name} must be {'words' if words else 'numbers'} of shape {shape}, got "
                f"{column.dtype} {column.shape}"
            )
    return arrays
