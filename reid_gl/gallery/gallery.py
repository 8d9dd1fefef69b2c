"""The gallery: a database of who was seen where."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.evaluation.thresholds.record import Calibration
from reid_gl.gallery.additions import add_logged
from reid_gl.gallery.answers import Answers, read_features
from reid_gl.gallery.audit_log import AuditLog, current_user, default_log, log_problems
from reid_gl.gallery.checks import at_least_one, checked_age
from reid_gl.gallery.engines.ivf.faiss_engine import train_index_of
from reid_gl.gallery.engines.open_engine import open_engine
from reid_gl.gallery.export_rows import write_rows
from reid_gl.gallery.interface.addition_key import AdditionKey, make_key
from reid_gl.gallery.interface.condition import Condition, TimeRange, Values, make_condition
from reid_gl.gallery.interface.engine import Engine, GalleryStats, Parts, Verification
from reid_gl.gallery.interface.sightings import Floats, Ints, Match, Sighting, check_sightings
from reid_gl.gallery.list_rows import list_rows
from reid_gl.gallery.recall import measure_recall
from reid_gl.gallery.retention import delete_expired
from reid_gl.gallery.searches import Search, search_all, search_together
from reid_gl.gallery.turns import Turns


class Gallery:
    """A searchable database of features with camera, time, tracklet and identity. Threads may share one.

    Scores are cosines: features are stored with length one. Once `add` has returned, its rows survive a kill
    and a power failure. One process can write while any number of others read.

    Args:
        uri: a file, such as "people.db"; "faiss:people.db" for a file with an approximate index; or a server,
            such as "qdrant://localhost:6333/people".
        mode: "r" reads an existing gallery; "r+" reads and writes one; "a" also creates one.
        calibration: thresholds of the network, for probabilities of matches.
        prior: expected share of the compared rows that show the person of the query; None takes that of the
            calibration, which suits galleries of the size of its data set. See same_person_probability.
        audit_log: file that records every addition, search, export, change and deletion; None
            takes `<file>.audit.jsonl` next to the gallery. A server has no default: name a file.
        user: name in the audit log; None takes the name in the operating system.

    Raises:
        FileNotFoundError: the gallery does not exist, in mode "r" or "r+".
        BlockingIOError: another process writes to it, in mode "r+" or "a".
        ValueError: the engine or mode is unknown, or the file is not a gallery; DamagedGalleryError if it is
            a damaged one.
    """

    def __init__(
        self,
        uri: str | Path,
        mode: str = "a",
        *,
        calibration: Calibration | None = None,
        prior: float | None = None,
        audit_log: str | Path | None = None,
        user: str | None = None,
    ) -> None:
        self._answers = Answers(calibration, prior)
        path = default_log(uri) if audit_log is None else Path(audit_log)
        self._log = AuditLog(path, current_user() if user is None else user)
        self._turns = Turns(open_engine(uri, mode))

    def add(
        self,
        features: Floats,
        metadata: Sequence[Sighting],
        *,
        key: str | None = None,
        user: str | None = None,
    ) -> Ints:
        """Store either all of the features or none.

        Args:
            features: (N, D) of any length but zero, of one network throughout; N may be 0.
            metadata: N sightings, one for each feature.
            key: name of this addition, if it may be tried again: the second time, nothing is added, and the
                numbers are those of the first. A file remembers keys for a day at least.
            user: who adds, for the audit log; None takes the gallery's user.

        Returns:
            (N,) numbers of the rows, from 1; no number is ever reused.

        Raises:
            ValueError, TypeError: the dimension is not the gallery's, features are zero or not finite, or
                metadata do not fit; the message names the rows. Or the key was used for other metadata.
            OSError: the disk is full or not writable; nothing was stored.
        """
        once = None if key is None else make_key(key, metadata)
        return self.add_parts([(features, metadata)], key=once, user=user)

    def add_parts(self, parts: Parts, *, key: AdditionKey | None = None, user: str | None = None) -> Ints:
        """Store many features, given in parts: either all or none; see add."""
        with self._turns.take() as engine:
            self.apply_retention()  # checked first: nothing is stored yet if this raises
            return add_logged(engine, self._log, parts, key, user)

    def search(
        self,
        query: Floats,
        k: int = 10,
        *,
        cameras: Values | None = None,
        time: TimeRange | None = None,
        exclude: Mapping[str, Values] | Sequence[Mapping[str, Values]] = (),
        min_score: float = -1.0,
        rerank: RerankSettings | None = None,
        shortlist: int = 100,
        reason: str = "",
        user: str | None = None,
    ) -> list[list[Match]]:
        """Find the rows most similar to each query.

        Args:
            query: (Q, D), or (D,) for one query; Q may be 0.
            k: maximum number of rows in an answer, at least 1.
            cameras: search only these.
            time: first and last time in seconds since 1970, both included, None for no limit; if given, rows
                of unknown time are left out.
            exclude: rows to leave out by id, camera, tracklet or pid: {"camera": 1, "tracklet": [7, 8]}
                leaves out two tracklets of a camera; several such rules in a list.
            min_score: smallest cosine.
            rerank: order the nearest rows by k-reciprocal re-ranking; None orders by cosine.
            shortlist: number of rows to re-rank, at least k.
            reason: reason for the search, for the audit log.
            user: who searches, for the audit log; None takes the gallery's user.

        Returns:
            Q answers, best first; of equal scores, the older row comes first. Rows that are damaged or older
            than the retention age are left out.

        Raises:
            ValueError, TypeError: a query has another dimension, is zero or not finite, or a filter is
                invalid; the message says which.
            OSError: the audit log cannot be written.
        """
        search = Search(query, at_least_one(k, "k"), cameras, time, exclude, min_score, reason, user)
        at_least_one(shortlist, "shortlist")
        with self._turns.take() as engine:
            return search_all(engine, self._answers, self._log, search, rerank, shortlist)

    def search_together(self, searches: Sequence[Search]) -> Iterator[tuple[int, list[Match] | Exception]]:
        """Do searches of several callers, see reid_gl.gallery.searches.search_together."""
        with self._turns.take() as engine:
            yield from search_together(engine, self._answers, self._log, searches)

    def features_of(self, ids: Sequence[int]) -> Floats:
        """Return features (M, D) of M rows, of length one, as queries; ValueError if a row cannot be read."""
        condition = make_condition(only={"id": ids})
        with self._turns.take() as engine:
            features = read_features(engine, condition, ids)
            self._log.write("read", {"filter": condition.to_dict()})
        return features

    def rows(self, *, skip: int = 0, count: int = 100, **only: Values) -> list[tuple[int, Sighting]]:
        """List rows in the order of their numbers, without a search; see list_rows."""
        with self._turns.take() as engine:
            return list_rows(engine, self._log, only, skip, count)

    def delete(
        self,
        *,
        ids: Values | None = None,
        pids: Values | None = None,
        cameras: Values | None = None,
        time: TimeRange | None = None,
        older_than: float | None = None,
    ) -> int:
        """Delete the rows that satisfy all given conditions; at least one is required.

        Args:
            ids: numbers of rows.
            pids: identities.
            cameras: cameras.
            time: first and last time, both included; rows of unknown time are kept.
            older_than: seconds since 1970; for rows of unknown time, the time of their addition counts.

        Returns:
            Number of deleted rows.

        Raises:
            ValueError: no condition is given, or one is invalid.
        """
        only = {"id": ids, "pid": pids, "camera": cameras}
        condition = make_condition(only=only, time=time, before=older_than)
        if condition == Condition():
            raise ValueError("say which rows to delete: ids, pids, cameras, time or older_than")
        return self._logged("delete", condition, lambda engine: engine.delete(condition))

    def merge_identities(self, pids: Values, *, into: int) -> int:
        """Merge identities that turned out to be one person: all of their rows get the same identity.

        Args:
            pids: the identities to replace, from 0.
            into: the identity to keep.

        Returns:
            Number of changed rows.
        """
        condition = make_condition(only={"pid": pids})
        if min(condition.only["pid"], default=0) < 0:
            raise ValueError("identity -1 means unknown and cannot be merged: name rows with set_identity")
        return self._identify("merge", condition, into)

    def set_identity(self, ids: Values, pid: int) -> int:
        """Set the identity of some rows, -1 for unknown, and return how many rows changed."""
        return self._identify("set identity", make_condition(only={"id": ids}), pid)

    def keep_for(self, seconds: float | None) -> int:
        """Set the retention age of rows, None for no limit, and delete older rows at once.

        From then on, every `add` first deletes older rows, and searches skip them even before that. The age
        counts from the time of a row, or from its addition if the time is unknown.

        Returns:
            Number of deleted rows; ValueError if the age is not a positive number.
        """
        age = checked_age(seconds)
        with self._turns.take() as engine:
            self._log.write("keep", {"keep_seconds": age})
            engine.keep_for(age)
            return self.apply_retention()

    def apply_retention(self) -> int:
        """Delete rows older than the retention age, and return how many."""
        with self._turns.take() as engine:
            return delete_expired(engine, self._log)

    def export(
        self, path: str | Path, *, cameras: Values | None = None, time: TimeRange | None = None
    ) -> int:
        """Write rows to an .npz file for `evaluate-features` and `calibrate`, and return how many.

        The file has the arrays rows (their numbers), features (M, D), camids, times (NaN if unknown),
        tracklets, pids, paths, frames and boxes (M, 4) (NaN for the whole image). Damaged rows are left out.

        Raises:
            FileExistsError: the file exists.
            ValueError: the suffix is not .npz, or there are no such rows.
        """
        condition, output = make_condition(only={"camera": cameras}, time=time), Path(path)
        return self._logged(
            "export",
            condition,
            lambda engine: write_rows(output, engine.read(condition.younger_than(engine.keep_seconds))),
            file=str(output),
        )

    def stats(self) -> GalleryStats:
        """Return statistics of the gallery."""
        with self._turns.take() as engine:
            return engine.stats()

    def train(self) -> int:
        """Make a new index of faiss: and return its number of rows; ValueError if there is no index."""
        with self._turns.take() as engine:
            return train_index_of(engine)

    def recall(self, num_queries: int = 100, k: int = 50) -> float:
        """Return the mean share of the k nearest rows that a search finds, see measure_recall."""
        with self._turns.take() as engine:
            self._log.write("recall", {"queries": num_queries, "k": k})
            return measure_recall(engine, at_least_one(num_queries, "num_queries"), at_least_one(k, "k"))

    def verify(self) -> Verification:
        """Read everything, including the audit log, and report damage."""
        with self._turns.take() as engine:
            found = engine.verify()
        return replace(found, problems=[*found.problems, *log_problems(self._log.path)])

    def close(self) -> None:
        """Close the gallery, so that another process can write. A `with` block does this at its end."""
        self._turns.close()

    def __enter__(self) -> Gallery:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _identify(self, action: str, condition: Condition, pid: int) -> int:
        number = check_sightings([Sighting(pid=pid)], 1)[0].pid
        return self._logged(
            action, condition, lambda store: store.set_identity(condition, number), pid=number
        )

    def _logged(
        self, action: str, condition: Condition, act: Callable[[Engine], int], **details: object
    ) -> int:
        """Log an action, perform it, and log on how many rows."""
        with self._turns.take() as engine:
            self._log.write(action, {"filter": condition.to_dict(), **details})
            count = act(engine)
            self._log.write_done(action, {"rows": count})
        return count
