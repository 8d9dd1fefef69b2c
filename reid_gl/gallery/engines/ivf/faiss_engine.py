"""The engine for very many rows on one host: the SQLite file, and beside it an approximate index by faiss."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from reid_gl.gallery.engines.ivf.indexed_rows import IndexedRows
from reid_gl.gallery.engines.ivf.ivf_file import index_fault, read_numbers
from reid_gl.gallery.engines.ivf.ivf_index import import_faiss
from reid_gl.gallery.engines.ivf.ivf_search import IvfSearch
from reid_gl.gallery.engines.ivf.ivf_settings import IvfSettings
from reid_gl.gallery.engines.ivf.kept_index import KeptIndex
from reid_gl.gallery.engines.sqlite.index_beside import index_path
from reid_gl.gallery.engines.sqlite.sqlite_engine import SqliteEngine
from reid_gl.gallery.engines.sqlite.sqlite_file import DamagedGalleryError
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.engine import Addition, Engine, Found, GalleryStats, Verification, unannounced
from reid_gl.gallery.interface.sightings import Floats, Ints, StoredRow

logger = logging.getLogger(__name__)


class FaissEngine:
    """See Engine. SqliteEngine stores and changes the rows; the index only proposes rows to compare.

    Whether a row exists and satisfies a filter is read from the SQLite file, and so is the feature that
    decides its score. The index can be made again at any time.

    Args:
        path: path of the SQLite file.
        mode: see MODES of sqlite_file.
        settings: settings of the index.
    """

    def __init__(self, path: Path, mode: str, settings: IvfSettings) -> None:
        import_faiss()
        self._stored = SqliteEngine(path, mode)
        self._rows = IndexedRows(self._stored)
        self._path = index_path(path)
        self._kept = KeptIndex(self._path, self._rows, settings)
        self._is_writer = mode != "r"
        if self._is_writer:
            self._attempt(self._kept.drop_if_foreign)

    @property
    def name(self) -> str:
        """The file."""
        return self._stored.name

    @property
    def dimension(self) -> int | None:
        """Return D of the features."""
        return self._stored.dimension

    @property
    def keep_seconds(self) -> float | None:
        """Return the age at which rows are deleted."""
        return self._stored.keep_seconds

    def add(self, addition: Addition) -> Ints:
        """Store all parts in one transaction; then train or save the index, if it is time."""
        ids = self._stored.add(addition)
        self._attempt(self._kept.after_addition)
        return ids

    def search(self, queries: Floats, num_nearest: int, condition: Condition) -> Found:
        """Return candidates for each query; until there is an index, compare every row."""
        index = self._kept.current()
        if index is None:
            return self._stored.search(queries, num_nearest, condition)
        return IvfSearch(index, self._rows, self._kept.breadth()).find(queries, num_nearest, condition)

    def read(self, condition: Condition) -> Iterable[list[StoredRow]]:
        """Yield the rows that satisfy a condition."""
        return self._stored.read(condition)

    def delete(self, condition: Condition, announce: Callable[[int], None] = unannounced) -> int:
        """Delete rows; they leave the file of the index when it is next saved, at the latest by `close`."""
        return self._stored.delete_rows(condition, announce)

    def set_identity(self, condition: Condition, pid: int) -> int:
        """Change identities."""
        return self._stored.set_identity(condition, pid)

    def keep_for(self, seconds: float | None) -> None:
        """Store the age at which rows are deleted."""
        self._stored.keep_for(seconds)

    def stats(self) -> GalleryStats:
        """Return statistics of the rows, and of the file of the index."""
        found = self._stored.stats()
        if not self._path.exists():
            return found
        known = read_numbers(self._path)
        shown = {name: known[name] for name in ("rows", "num_trained", "lists", "code_bytes")}
        breadth = self._kept.breadth()
        searched: dict[str, float] = {"probes": breadth.probes, "candidates": breadth.candidates}
        if breadth.recall is not None:
            searched["recall_when_trained"] = breadth.recall
        return replace(found, index={**shown, **searched, "num_bytes": self._path.stat().st_size})

    def verify(self) -> Verification:
        """Check the SQLite file and the index."""
        found = self._stored.verify()
        if not self._path.exists():
            return found
        fault = index_fault(self._path, self._rows.misfit)
        return replace(found, problems=[*found.problems, fault]) if fault else found

    def train(self) -> int:
        """Make a new index of all rows, and return their number; see KeptIndex.

        Raises:
            PermissionError: the gallery is open for reading.
            ValueError: there are too few rows, or the settings do not fit them.
        """
        self._stored.check_writable()
        return self._kept.train()

    def close(self) -> None:
        """Bring the file of the index up to date, if this engine may write, and close."""
        if self._is_writer:
            self._is_writer = False
            self._attempt(self._kept.save_if_behind)
            self._attempt(self._kept.save_if_deleted)
        self._stored.close()

    def _attempt(self, act: Callable[[], None]) -> None:
        """Change the index; if that fails, the rows are safe, and the caller has done what was asked."""
        try:
            act()
        except (OSError, DamagedGalleryError) as error:
            logger.warning("gallery %s: the rows are stored, but not their index: %s", self.name, error)


def train_index_of(engine: Engine) -> int:
    """Make a new index of all rows, and return their number.

    Raises:
        ValueError: the engine has none, or as FaissEngine.train.
    """
    if not isinstance(engine, FaissEngine):
        raise ValueError(f"gallery {engine.name} has no index to train: open it as faiss:people.db for one")
    return engine.train()
