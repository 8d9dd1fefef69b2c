"""The index of a gallery: made from its rows, kept beside it, and brought up to date."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np

from reid_gl.gallery.engines.ivf.indexed_rows import IndexedRows
from reid_gl.gallery.engines.ivf.ivf_breadth import choose_breadth
from reid_gl.gallery.engines.ivf.ivf_file import cannot_be_used, load_index, read_marks, save_index
from reid_gl.gallery.engines.ivf.ivf_index import CODES, IvfIndex, train_index
from reid_gl.gallery.engines.ivf.ivf_settings import Breadth, IvfSettings, Marks

logger = logging.getLogger(__name__)

SAMPLE_A_LIST = 16
"""Rows to train a list on. More would help only if people outnumber lists, and take as much longer."""
SMALLEST_SAMPLE = 20_000
UNSAVED_ROWS = 10_000
UNSAVED_SHARE = 0.01
"""The index is saved when its file lacks more rows than both allow; readers add missing rows in memory."""


class KeptIndex:
    """Loads, makes and saves an index.

    Args:
        path: file of the index.
        rows: rows of the gallery.
        settings: settings of the index.
    """

    def __init__(self, path: Path, rows: IndexedRows, settings: IvfSettings) -> None:
        self._path, self._rows, self._settings = path, rows, settings
        self._index: IvfIndex | None = None
        self._marks: Marks | None = None
        self._next_id = 1  # rows before this number are in the index in memory

    def current(self) -> IvfIndex | None:
        """Return the index of all rows; None if there is no index yet.

        It may still propose rows that were deleted.

        Raises:
            DamagedGalleryError: the file of the index cannot be used.
        """
        if self._index is None:
            if not self._path.exists():
                return None
            index, marks = load_index(self._path)
            if fault := self._rows.misfit(marks):
                raise cannot_be_used(self._path, fault)
            self._index, self._marks, self._next_id = index, marks, marks.next_id
        end = self._rows.state().next_id
        for ids, vectors in self._rows.span(self._next_id, end):
            self._index.add(ids, vectors)
            self._next_id = int(ids[-1]) + 1
        self._next_id = end
        return self._index

    def breadth(self) -> Breadth:
        """Return how widely to search."""
        marks = self._known_marks()
        return self._settings.breadth(None if marks is None else marks.breadth)

    def train(self) -> int:
        """Make a new index of all rows, with all settings that fit them, and return the number of rows.

        Raises:
            ValueError: there are too few rows, or the settings do not fit them.
        """
        state = self._rows.state()
        if state.dimension is None or state.num_rows < CODES:
            raise ValueError(
                f"an index needs {CODES} rows, there are {state.num_rows:,}: until then every row is compared"
            )
        lists = self._settings.num_lists(state.num_rows)
        code_bytes = self._settings.num_bytes(state.dimension)
        sample = self._rows.sample(max(SAMPLE_A_LIST * lists, SMALLEST_SAMPLE))
        if len(sample) < max(CODES, lists):
            raise ValueError(
                f"an index of {lists:,} lists needs {max(CODES, lists):,} undamaged rows, a sample had "
                f"{len(sample):,}: see `reid-gl gallery verify`"
            )
        logger.info("training %s: %d lists, %d bytes a row", self._path, lists, code_bytes)
        self._index, self._next_id, self._marks = train_index(sample, lists, code_bytes), 1, None
        index = self.current()
        assert index is not None
        breadth = choose_breadth(index, self._rows)
        logger.info("%s: %s", self._path, breadth)
        self._save(state.num_rows, breadth)
        return len(index)

    def after_addition(self) -> None:
        """Train the first index if there are enough rows, or save the index if its file lacks many rows."""
        if self._known_marks() is None:
            if self._rows.state().num_rows >= self._settings.train_at:
                self.train()
        else:
            self.save_if_behind()

    def save_if_behind(self) -> None:
        """Save the index if its file lacks many rows."""
        marks, state = self._known_marks(), self._rows.state()
        if marks is not None and state.next_id - marks.next_id > max(
            UNSAVED_ROWS, UNSAVED_SHARE * state.num_rows
        ):
            self._save(marks.num_trained, marks.breadth)

    def save_if_deleted(self) -> None:
        """Save the index if its file holds deleted rows."""
        marks = self._known_marks()
        if marks is None:
            return
        gone = self._rows.deleted_since(marks.version)
        if gone is None or (gone < marks.next_id).any():
            self._save(marks.num_trained, marks.breadth)

    def drop_if_foreign(self) -> None:
        """Delete the file of an index that was made from other rows."""
        marks = self._known_marks()
        if marks is not None and (fault := self._rows.misfit(marks)):
            logger.warning("%s is deleted: %s", self._path, fault)
            self._path.unlink()
            self._marks = None

    def _save(self, num_trained: int, breadth: Breadth | None) -> None:
        index, state = self.current(), self._rows.state()
        assert index is not None
        if self._marks is not None:
            gone = self._rows.deleted_since(self._marks.version)
            if gone is None:  # too long ago
                ids = index.ids()
                gone = np.setdiff1d(ids, self._rows.existing(ids), assume_unique=True)
            index.remove(gone)
        checksums = self._rows.some_checksums(state.next_id)
        marks = Marks(state.version, state.next_id, num_trained, checksums, breadth)
        save_index(self._path, index, marks)
        self._marks = marks

    def _known_marks(self) -> Marks | None:
        if self._marks is None and self._path.exists():
            self._marks = read_marks(self._path)
        return self._marks
