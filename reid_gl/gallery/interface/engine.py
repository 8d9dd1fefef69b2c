"""The interface of a gallery's engines, and the records that they return."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from reid_gl.gallery.interface.addition_key import AdditionKey
from reid_gl.gallery.interface.condition import Condition
from reid_gl.gallery.interface.sightings import Floats, Ints, Sighting, StoredRow

Parts: TypeAlias = Iterable[tuple[Floats, Sequence[Sighting]]]
"""Features (M, D) with M sightings, repeatedly."""
SPARE = 16
"""Number of extra candidates that a search asks for: rounding may exchange rows at the end of the list."""


@dataclass(frozen=True, eq=False)
class Addition:
    """Rows to store, all of them or none.

    Attributes:
        parts: the rows, checked; an engine takes all parts before anything is final.
        added: time of the addition, in seconds since 1970.
        key: name of the addition; None if it is never tried again.
    """

    parts: Parts
    added: float
    key: AdditionKey | None = None


class Found(NamedTuple):
    """Candidates of a search.

    Attributes:
        ids: numbers of the rows for each query.
        rows: the rows found, by number; rows that were deleted meanwhile are missing.
    """

    ids: list[Ints]
    rows: dict[int, StoredRow]


@dataclass(frozen=True)
class GalleryStats:
    """Statistics of a gallery.

    Attributes:
        num_rows: number of rows.
        dimension: D of the features; None before the first row.
        num_identities: number of known identities.
        num_tracklets: number of known tracklets, counted per camera.
        cameras: number of rows of each camera, -1 for unknown.
        first_time: earliest known time in seconds since 1970; None if no time is known.
        last_time: latest known time.
        num_bytes: size on disk; None if the engine does not know it.
        keep_seconds: age at which rows are deleted; None for never.
        index: settings and size of an approximate index; None if there is none.
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
    index: Mapping[str, float] | None = None


@dataclass(frozen=True)
class Verification:
    """Result of `verify`.

    Attributes:
        num_rows: number of rows that can be read and match their checksums.
        broken: why the other rows cannot be used, by row number.
        problems: other problems.
    """

    num_rows: int
    broken: dict[int, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Return whether there are no problems."""
        return not self.broken and not self.problems


def unannounced(count: int) -> None:
    """Announce to nobody how many rows are about to be deleted."""


class Engine(Protocol):
    """Stores rows and finds the nearest. Calls must not overlap.

    Attributes:
        name: name of the gallery, for messages.
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

    def add(self, addition: Addition) -> Ints:
        """Store rows and return their numbers; after the return, they survive a kill.

        Rows that were added under the key are not added again: their numbers are returned. ValueError if the
        key was used for other rows.
        """

    def search(self, queries: Floats, num_nearest: int, condition: Condition) -> Found:
        """Return the rows near each query (Q, D) of length one."""

    def read(self, condition: Condition) -> Iterable[list[StoredRow]]:
        """Yield the rows that satisfy a condition in batches, in ascending order of their numbers."""

    def delete(self, condition: Condition, announce: Callable[[int], None] = unannounced) -> int:
        """Delete rows and return how many.

        `announce` is first called with their number if there are any; if it raises, nothing is deleted.
        """

    def set_identity(self, condition: Condition, pid: int) -> int:
        """Set the identity of rows and return how many."""

    def keep_for(self, seconds: float | None) -> None:
        """Store the age at which rows are deleted."""

    def stats(self) -> GalleryStats:
        """Return statistics of the gallery."""

    def verify(self) -> Verification:
        """Read everything and report damage."""

    def close(self) -> None:
        """Close files and connections; a second call does nothing."""
