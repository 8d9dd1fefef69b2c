"""Labels of pairs, same person or different people: a file that only grows, one line of JSON each."""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from reid_gl.untrusted.regular_file import MAX_TEXT_BYTES, check_regular_file

logger = logging.getLogger(__name__)

ENDING = ".labels.jsonl"
SAME, DIFFERENT, REMOVED = "same", "different", "removed"
VALUES = (SAME, DIFFERENT, REMOVED)


@dataclass(frozen=True)
class Label:
    """What somebody said of a query and a row.

    Attributes:
        query: "row 17" of the gallery, or "sha256:..." of an image from elsewhere.
        query_name: path of the row's image, or name of the file from elsewhere.
        row: number of the row.
        path: path of the row's image or video.
        frame: frame of the video, -1 for an image.
        camera: camera of the row, -1 if unknown.
        box: (x1, y1, x2, y2) pixels of the person in the image; None for the whole image.
        value: "same", "different", or "removed", which takes an earlier label back.
    """

    query: str
    query_name: str
    row: int
    path: str
    frame: int
    camera: int
    box: tuple[float, float, float, float] | None
    value: str


class Labels:
    """The labels in a file, which is created with the first label.

    Args:
        path: the file; damaged lines are left out, with a warning.
        user: name of the person who labels, for the file.

    Raises:
        OSError: the file exists and cannot be read.
        ValueError: it is a pipe, a device or a folder, or larger than a list can be.
    """

    def __init__(self, path: Path, user: str) -> None:
        self.path, self._user = path, user
        self._lock = threading.Lock()
        self._labels: dict[tuple[str, int], Label] = {}
        if path.exists():
            check_regular_file(path, max_bytes=MAX_TEXT_BYTES, name=f"the file of labels {path}")
            self._read()

    def add(self, label: Label) -> None:
        """Add a label; when this returns, it is on the disk.

        Raises:
            ValueError: the value is unknown.
            OSError: the file cannot be written; nothing changed.
        """
        if label.value not in VALUES:
            raise ValueError(f"a label is one of {', '.join(VALUES)}, got {label.value!r}")
        line = json.dumps({**asdict(label), "user": self._user, "at": time.time()}) + "\n"
        with self._lock:
            _append(self.path, line)
            self._put(label)

    def of_query(self, query: str) -> dict[int, str]:
        """Map each labelled row of a query to its label."""
        with self._lock:
            return {row: label.value for (other, row), label in self._labels.items() if other == query}

    def to_csv(self) -> str:
        """Return the labels that count, the last of each pair, as a table with a header."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        titles = ("query", "query_name", "row", "path", "frame", "camera", "x1", "y1", "x2", "y2", "label")
        writer.writerow(titles)
        with self._lock:
            labels = list(self._labels.values())
        for one in labels:
            place = (one.row, one.path, one.frame, one.camera)
            writer.writerow((one.query, one.query_name, *place, *(one.box or ("",) * 4), one.value))
        return text.getvalue()

    def _put(self, label: Label) -> None:
        self._labels.pop((label.query, label.row), None)
        if label.value != REMOVED:
            self._labels[label.query, label.row] = label

    def _read(self) -> None:
        damaged = []
        with self.path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    fields = json.loads(line)
                    box = fields["box"] and tuple(map(float, fields["box"]))
                    names = Label.__dataclass_fields__
                    self._put(Label(**{**{name: fields[name] for name in names}, "box": box}))
                except (ValueError, KeyError, TypeError, RecursionError):
                    damaged.append(number)
        if damaged:
            logger.warning("%s: lines %s are damaged and left out", self.path, damaged)


def _append(path: Path, line: str) -> None:
    """Append a line and wait until it is on the disk; a half line of a killed process is ended first."""
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            line = "\n" + line
        data = line.encode()
        if os.write(descriptor, data) != len(data):
            raise OSError(f"the label cannot be written to {path}: is the disk full?")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
