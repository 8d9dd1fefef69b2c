"""Searches of several callers, done together where they have the same filter."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from reid_gl.evaluation.reranking.rerank import RerankSettings
from reid_gl.gallery.answers import Answers
from reid_gl.gallery.audit_log import AuditLog
from reid_gl.gallery.checks import at_least_one, checked_cosine
from reid_gl.gallery.interface.condition import Condition, TimeRange, Values, make_condition
from reid_gl.gallery.interface.engine import Engine
from reid_gl.gallery.interface.sightings import Floats, Match, query_features


@dataclass(frozen=True, eq=False)
class Search:
    """A search of one caller, with the arguments of Gallery.search.

    The fields are checked where they are used; `query` is (Q, D), or (D,) for one query.
    """

    query: Floats
    k: int = 10
    cameras: Values | None = None
    time: TimeRange | None = None
    exclude: Mapping[str, Values] | Sequence[Mapping[str, Values]] = ()
    min_score: float = -1.0
    reason: str = ""
    user: str | None = None

    def condition(self) -> Condition:
        """Check everything but the query, and return the filter.

        Raises:
            ValueError: as Gallery.search.
        """
        at_least_one(self.k, "k")
        checked_cosine(self.min_score)
        return make_condition(only={"camera": self.cameras}, time=self.time, exclude=self.exclude)


def search_all(
    engine: Engine,
    answers: Answers,
    log: AuditLog,
    search: Search,
    rerank: RerankSettings | None,
    shortlist: int,
) -> list[list[Match]]:
    """Return the matches of each query of a search, whose queries are (D,) or (Q, D); see Gallery.search.

    Raises:
        ValueError, TypeError: an argument is invalid.
        OSError: the audit log cannot be written.
    """
    condition = search.condition()
    queries = query_features(search.query, engine.dimension)
    kept = condition.younger_than(engine.keep_seconds)
    found = answers.find(engine, queries, kept, search.k, search.min_score, rerank, shortlist)
    _log(log, search, condition, found)
    return found


def search_together(
    engine: Engine, answers: Answers, log: AuditLog, searches: Sequence[Search]
) -> Iterator[tuple[int, list[Match] | Exception]]:
    """Yield the place of each search with its matches, or with the error that its arguments cause.

    Searches with the same filter are one search of the engine. Each has a line of its own in the audit log.

    Raises:
        OSError: the audit log cannot be written, or the engine fails.
    """
    groups: dict[tuple[str, int], tuple[Condition, list[int], list[Floats]]] = {}
    for place, search in enumerate(searches):
        try:
            condition = search.condition()
            query = query_features(search.query, engine.dimension)
            if len(query) != 1:
                raise ValueError(f"a search has one query, got {len(query)}")
        except (ValueError, TypeError) as error:
            yield place, error
            continue
        _, places, queries = groups.setdefault(
            (json.dumps(condition.to_dict()), query.shape[1]), (condition, [], [])
        )
        places.append(place)
        queries.append(query)
    for condition, places, queries in groups.values():
        kept = condition.younger_than(engine.keep_seconds)
        k = max(searches[place].k for place in places)
        found = answers.find(engine, np.concatenate(queries), kept, k, -1.0, None, k)
        for place, answer in zip(places, found, strict=True):
            search = searches[place]
            matches = [match for match in answer[: search.k] if match.score >= search.min_score]
            _log(log, search, condition, [matches])
            yield place, matches


def _log(log: AuditLog, search: Search, condition: Condition, answers: Sequence[Sequence[Match]]) -> None:
    """Record a search and its answers.

    Raises:
        OSError: the log cannot be written; the answers must not be handed out.
    """
    details = {
        "queries": len(answers),
        "k": int(search.k),
        "min_score": float(search.min_score),
        "filter": condition.to_dict(),
        "reason": search.reason,
        "rows": [[match.id for match in answer] for answer in answers],
    }
    log.write("search", details, search.user)
