"""Make the report of one or several runs: one HTML page for people."""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import reid_gl
from reid_gl.config import load_run_config, read_experiment
from reid_gl.evaluation.scores.breakdown import paired_difference
from reid_gl.evaluation.scores.rank_lists import NOTHING
from reid_gl.experiment.reporting.report_images import describe_images, make_thumbnails, rows_of_sides
from reid_gl.experiment.reporting.report_run import (
    Ranking,
    choose_queries,
    describe_ranking,
    describe_run,
    rank_run,
)
from reid_gl.experiment.reporting.report_similarity import MAX_BYTES, make_similarity_maps
from reid_gl.experiment.score import ScoredFeatures, compute_features, load_candidate
from reid_gl.files import write_text
from reid_gl.own_files import check_replaceable
from reid_gl.records import ReidDataset, Sample
from reid_gl.report.page import format_report
from reid_gl.training.run_folder import CONFIG_FILE, MODEL_FILE, TRAINING_FILE
from reid_gl.untrusted.regular_file import why_no_file

logger = logging.getLogger(__name__)

MAX_LISTED = 3_600
"""Queries with rank lists; of larger test sets a third of them are the worst, a third the best."""
FIRST = 100
"""Worst, best and random queries whose images come before those of all others."""
MAX_PAGE_BYTES = 25_000_000
"""Thumbnails fill what the rest of the page leaves of it."""
BYTES_OF_NUMBER = 7
"""Of the number of an image's thumbnail in the page."""
PAGE_FACTOR = 2654435761
"""The page's random order is that of (row + 1) times this, modulo 2 ** 32."""


def run_report(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    overrides: Sequence[str] = (),
    force: bool = False,
) -> dict[str, Any]:
    """Score runs with their own settings, and write the report.

    Args:
        runs: run folders with the same test set; the first is the one that others are compared with.
        out: HTML file; its folder must exist.
        overrides: configuration keys and values that replace those of every run, such as DATA.ROOT.
        force: replace a file of that name even if no command wrote it.

    Returns:
        A summary: the file, its size, and the scores of each run.

    Raises:
        FileNotFoundError: a folder is no run, or images or the folder of the file do not exist.
        FileExistsError: another program's file has the name.
        ValueError: a run is given twice, the runs have different test sets, or as run_test.
    """
    page = check_report_path(out, force=force)
    folders = [Path(run) for run in runs]
    if len({folder.resolve() for folder in folders}) < len(folders):
        raise ValueError(f"a run is given twice among {', '.join(map(str, folders))}: name each once")
    for folder in folders:
        _check_run(folder)
    candidates = []
    for folder in folders:
        experiment = read_experiment(load_run_config(folder / CONFIG_FILE, overrides))
        experiment = replace(experiment, weights=folder / MODEL_FILE)
        try:
            candidates.append((experiment, load_candidate(experiment)))
        except FileNotFoundError as error:
            if "DATA.ROOT" in overrides:
                raise
            raise FileNotFoundError(
                f"add DATA.ROOT <folder> to the command, the images of {folder} are not where they were: "
                f"{error}"
            ) from None
    for _, candidate in candidates:
        _check_searches_everything(candidate.dataset)
    _check_same_images(
        [(str(candidate.weights), rows_of_sides(candidate.dataset)) for _, candidate in candidates]
    )
    return write_report([compute_features(*candidate) for candidate in candidates], page)


def _check_searches_everything(dataset: ReidDataset) -> None:
    if dataset.draws or dataset.search is not None:
        kind = "drawn galleries" if dataset.draws else "scenes of its own"
        raise ValueError(
            f"a report ranks one gallery for all queries, and in {dataset.name} a query searches {kind}: "
            "reid-gl test gives its scores, without a report"
        )


def check_report_path(out: str | Path, *, force: bool) -> Path:
    """Return the path of a report, checked before the work starts; for errors see run_report."""
    path = Path(out)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"a report is an HTML page, got {path}: name a file such as report.html")
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"the folder of the report {path} does not exist: make it first")
    check_replaceable(path, force=force)
    return path


def write_report(tested: Sequence[ScoredFeatures], page: Path) -> dict[str, Any]:
    """Write the report of features that are already computed; see run_report.

    Args:
        tested: the runs, which have the same test set.
        page: the file, checked by check_report_path.

    Raises:
        ValueError: queries search several galleries.
    """
    _check_searches_everything(tested[0].candidate.dataset)
    sides = rows_of_sides(tested[0].candidate.dataset)
    samples = [*sides[0], *sides[1]]
    names = _names([one.candidate.weights for one in tested])
    rankings = [ranking for number, one in enumerate(tested) for ranking in rank_run(one, number)]
    shown = choose_queries(rankings[0].result.average_precision.tolist(), MAX_LISTED)
    offset = len(sides[0]) if sides[1] else 0
    first_tested = next(one for one in rankings if one.is_tested).result.average_precision
    rows = _most_important_first(first_tested, shown)
    runs = []
    for number, (one, name) in enumerate(zip(tested, names, strict=True)):
        own = _lists([ranking for ranking in rankings if ranking.run == number], rows, offset)
        maps = make_similarity_maps(one.candidate, samples, own, MAX_BYTES // len(tested))
        runs.append({**describe_run(one, name), "similarity_maps": maps})
    data: dict[str, Any] = {
        "made": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "version": reid_gl.__version__,
        "dataset": tested[0].candidate.dataset.name,
        "images": describe_images(samples),
        "queries": rankings[0].lists.queries.tolist(),
        "shown": shown.tolist(),
        "runs": runs,
        "lists": [describe_ranking(ranking, shown, offset) for ranking in rankings],
        "comparisons": _compare(rankings),
    }
    title = f"{data['dataset']}: {', '.join(names)}"
    on_maps = [place for run in runs if run["map"] for place in run["map"]["places"]]
    on_lists = itertools.chain.from_iterable(
        (query, *places) for query, places in _lists(rankings, rows, offset)
    )
    room = MAX_PAGE_BYTES - len(format_report(title, data, []).encode()) - BYTES_OF_NUMBER * len(samples)
    thumbnails, numbers = make_thumbnails(samples, itertools.chain(on_maps, on_lists), room)
    data["images"]["thumbnails"] = numbers
    write_text(page, format_report(title, data, thumbnails))
    return {
        "report": str(page),
        "bytes": page.stat().st_size,
        "thumbnails": len(thumbnails),
        "scores": {f"{names[one.run]}{', re-ranked' * one.is_reranked}": one.scores for one in rankings},
    }


def _check_run(folder: Path) -> None:
    for path in (folder / CONFIG_FILE, folder / MODEL_FILE):
        if os.path.lexists(path) and not path.is_file():
            raise FileNotFoundError(f"{path} {why_no_file(path)}: restore it, or give another run")
    if (folder / TRAINING_FILE).is_file() and not (folder / MODEL_FILE).is_file():
        raise FileNotFoundError(
            f"{folder} has {TRAINING_FILE} and no {MODEL_FILE} yet: wait for its training, or finish it with "
            "reid-gl train --resume"
        )
    for name in (CONFIG_FILE, MODEL_FILE):
        if not (folder / name).is_file():
            raise FileNotFoundError(
                f"{folder} is no finished run, it has no {name}: give a folder that reid-gl train has written"
            )


def _check_same_images(sets: Sequence[tuple[str, tuple[list[Sample], list[Sample]]]]) -> None:
    """Check that the runs are scored on the same images, wherever these lie."""

    def described(sides: tuple[list[Sample], list[Sample]]) -> list[list[tuple[object, ...]]]:
        return [[(os.path.basename(one.path), one.pid, one.camid, one.box) for one in side] for side in sides]

    first_name, first = sets[0]
    expected = described(first)
    for name, sides in sets[1:]:
        if described(sides) != expected:
            raise ValueError(
                f"{first_name} is tested on {len(first[0])} queries and {len(first[1])} gallery images, "
                f"{name} on {len(sides[0])} and {len(sides[1])}, or on different ones: a report compares "
                "runs with one test set (DATA.TEST_NAMES)"
            )


def _names(weights: Sequence[Path]) -> list[str]:
    """Return short names that differ: as many of the last folders as are needed."""
    folders = [path.absolute().parent.parts for path in weights]
    for length in range(1, max(map(len, folders)) + 1):
        names = ["/".join(parts[-length:]) for parts in folders]
        if len(set(names)) == len(names):
            return names
    return [str(path) for path in weights]


def _most_important_first(average_precision: NDArray[np.float64], shown: NDArray[np.int64]) -> list[int]:
    """Return the rows that are shown in the order in which a reader is likely to meet them.

    The worst, the best and random ones take turns; each of the three is in the order of the page.
    """
    precision = np.nan_to_num(average_precision[shown], nan=-1.0)
    random = shown[np.argsort((shown + 1) * PAGE_FACTOR % 2**32, kind="stable")]
    orders = [shown[np.argsort(sign * precision, kind="stable")] for sign in (1, -1)]
    turns = itertools.chain.from_iterable(
        zip(*(one[:FIRST].tolist() for one in (*orders, random)), strict=True)
    )
    return list(dict.fromkeys(itertools.chain(turns, random.tolist())))


def _lists(rankings: Sequence[Ranking], rows: Sequence[int], offset: int) -> Iterator[tuple[int, list[int]]]:
    """Yield for each row the place of the query and the places of the images on any of its lists."""
    for row in rows:
        places = np.concatenate([ranking.lists.places[row] for ranking in rankings])
        found = dict.fromkeys((places[places != NOTHING] + offset).tolist())
        yield int(rankings[0].lists.queries[row]), list(found)


def _compare(rankings: Sequence[Ranking]) -> list[dict[str, Any]]:
    """Compare the first list with each other one of its kind, and each list with its re-ranked one."""
    pairs = []
    for second, ranking in enumerate(rankings):
        for first, other in enumerate(rankings[:second]):
            is_before = other.run == ranking.run and ranking.is_reranked
            is_first_run = other.run == 0 and other.is_reranked == ranking.is_reranked
            if is_before or is_first_run:
                difference = paired_difference(other.result, ranking.result)
                pairs.append({"first": first, "second": second, **asdict(difference)})
    return pairs
