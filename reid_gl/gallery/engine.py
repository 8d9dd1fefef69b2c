"""What every engine of a gallery does, and what it answers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from reid_gl.gallery.condition import Condition
from reid_gl.gallery.sightings import Floats, Ints, Sighting, StoredRow


class Found(NamedTuple):
    """Candidates of a search.

    Attributes:
        ids: numbers of the rows for each query.
        rows: the rows that were found, by their numbers; one that has gone meanwhile is missing.
    """

    ids: list[Ints]
    rows: dict[int, StoredRow]


@dataclass(frozen=True)
class GalleryStats:
    """What a gallery holds.

    Attributes:
        num_rows: rows.
        dimension: D of the features; None before the first row.
        num_identities: known identities.
        num_tracklets: known tracklets, counted within cameras.
        cameras: rows of each camera, -1 where it is unknown.
        first_time: earliest known time in seconds since 1970; None if no time is known.
        last_time: latest known time.
        num_bytes: size on the disk; None if the engine does not say.
        keep_seconds: age at which rows are deleted; None for never.
    """

    num_rows: int
    dimension: int | None
    num_identities: int
    num_tracklets: int
    cameras: dict[int, int]
    first_time: float | None
    last_time: float | None
    num_bytes: int | None
    keep_seconds: float | None


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        num_rows: rows that can be read and agree with their checksums.
        broken: why other rows cannot be used, by their number.
        problems: what else is wrong.
    """

    num_rows: int
    broken: dict[int, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong."""
        return not self.broken and not self.problems


class Engine(Protocol):
    """Keeps rows and finds the nearest. Calls come one at a time.

    Attributes:
        name: of the gallery, for messages.
        dimension: D of the features; None before the first row.
        keep_seconds: age at which rows are deleted; None for never.
    """

    @property
    def name(self) -> str:
        """See the class."""

    @property
    def dimension(self) -> int | None:
        """See the class."""

    @property
    def keep_seconds(self) -> float | None:
        """See the class."""

    def add(self, parts: Iterable[tuple[Floats, Sequence[Sighting]]], added: float) -> Ints:
        """Store checked rows and return their numbers; what is returned from here survives a kill."""

    def search(self, queries: Floats, num_nearest: int, condition: Condition) -> Found:
        """Rows near each query (Q, D) of length one."""

    def read(self, condition: Condition) -> Iterable[list[StoredRow]]:
        """The rows that fulfil a condition, in rising order of their numbers, batch after batch."""

    def delete(self, condition: Condition) -> int:
        """Delete rows and return how many there were."""

    def set_identity(self, condition: Condition, pid: int) -> int:
        """Give rows an identity and return how many there were."""

    def keep_for(self, seconds: float | None) -> None:
        """Store the age at which rows are deleted."""

    def stats(self) -> GalleryStats:
        """What is there."""

    def verify(self) -> Verification:
        """Read everything and say what is damaged."""

    def close(self) -> None:
        """Let go of files and connections; a second call does nothing."""


def delete_expired(engine: Engine) -> int:
    """Delete what is older than the gallery keeps, and return how many rows that were."""
    if engine.keep_seconds is None:
        return 0
    return engine.delete(Condition(before=time.time() - engine.keep_seconds))
