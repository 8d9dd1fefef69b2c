"""`reid-gl gallery`: add features to a gallery, search it, check it, delete from it."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from reid_gl.cli.times import check_frame_rate, duration, point_in_time
from reid_gl.evaluation import RerankSettings
from reid_gl.experiment.gallery import Recording, add_file, plain_answers
from reid_gl.gallery import Gallery
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor
from reid_gl.inference.extractor.stored_thresholds import load_calibration

FILTERS = {"cameras", "start", "end"}
TAKEN = {
    "add": {"camera", "start", "fps"},
    "search": FILTERS
    | {"weights", "device", "rows", "k", "exclude", "min_score", "rerank", "shortlist", "prior", "reason"},
    "stats": {"recall", "k"},
    "train": set[str](),
    "verify": set[str](),
    "delete": FILTERS | {"rows", "pids", "older_than"},
    "merge": {"pids", "into"},
    "keep": {"for_"},
    "export": set(FILTERS),
}
"""Options that each action takes."""
ALWAYS = {"action", "gallery", "inputs", "traceback", "audit_log"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("action", choices=tuple(TAKEN), help="what to do")
    parser.add_argument("gallery", help="file such as people.db, or a URI such as faiss:people.db")
    parser.add_argument(
        "inputs", nargs="*", help="add: .npz files of extract; search: images; export: an .npz file to write"
    )
    parser.add_argument("--audit-log", metavar="FILE", help="default: GALLERY.audit.jsonl")
    _add_filters(parser)
    added = parser.add_argument_group("add")
    added.add_argument(
        "--camera", type=int, metavar="N", help="camera of all rows; default: that of the file"
    )
    added.add_argument("--fps", type=float, metavar="RATE", help="frames per second, for times from --start")
    search = parser.add_argument_group("search")
    search.add_argument("--weights", metavar="FILE", help="the network that filled the gallery")
    search.add_argument("--device", help="device of the network; default: auto")
    search.add_argument("--k", type=int, metavar="N", help="maximum rows of an answer; default: 10")
    search.add_argument(
        "--exclude",
        nargs="+",
        action="append",
        metavar="FIELD=N",
        help="leave out rows that match all of these; may be repeated",
    )
    search.add_argument("--min-score", type=float, metavar="COSINE")
    search.add_argument(
        "--rerank", action="store_true", default=None, help="re-rank by k-reciprocal neighbours"
    )
    search.add_argument("--shortlist", type=int, metavar="N", help="rows to re-rank; default: 100")
    search.add_argument(
        "--prior", type=float, metavar="SHARE", help="expected share of rows that show the person"
    )
    search.add_argument("--reason", metavar="TEXT", help="reason, for the audit log")
    stats = parser.add_argument_group("stats")
    stats.add_argument(
        "--recall",
        type=int,
        metavar="N",
        help="also measure which share of the --k nearest rows (default: 50) searches for N rows find",
    )
    change = parser.add_argument_group("delete, merge, keep")
    change.add_argument("--pids", type=int, nargs="+", metavar="PID", help="delete or merge these identities")
    change.add_argument(
        "--older-than", type=duration, metavar="AGE", help="delete rows older than this, such as 30d or 12h"
    )
    change.add_argument("--into", type=int, metavar="PID", help="identity of the merged rows")
    change.add_argument(
        "--for", dest="for_", metavar="AGE", help="delete rows of this age from now on; ever: keep all"
    )


def _add_filters(parser: argparse.ArgumentParser) -> None:
    filters = parser.add_argument_group("which rows")
    filters.add_argument("--cameras", type=int, nargs="+", metavar="N")
    filters.add_argument(
        "--start", type=point_in_time, metavar="TIME", help="first time; for add, the time of the first frame"
    )
    filters.add_argument(
        "--end", type=point_in_time, metavar="TIME", help="last time; UTC if it has no offset"
    )
    filters.add_argument(
        "--rows", type=int, nargs="+", metavar="N", help="row numbers; for search, the queries"
    )


def run(options: argparse.Namespace) -> int:
    """Run one action; the answer goes to stdout as JSON. `verify` returns 1 if something is damaged."""
    for name, value in vars(options).items():
        if value is not None and name not in ALWAYS | TAKEN[options.action]:
            raise ValueError(
                f"--{name.strip('_').replace('_', '-')} has no meaning for gallery {options.action}"
            )
    if options.inputs and options.action not in ("add", "search", "export"):
        raise ValueError(f"gallery {options.action} takes no files, got {', '.join(options.inputs)}")
    answer = ACTIONS[options.action](options)
    print(json.dumps({"gallery": options.gallery, **answer}))
    return 0 if answer.get("is_whole", True) else 1


def _open(options: argparse.Namespace, mode: str, **others: Any) -> Gallery:  # noqa: ANN401
    return Gallery(options.gallery, mode, audit_log=options.audit_log, **others)


def _add(options: argparse.Namespace) -> dict[str, Any]:
    if not options.inputs:
        raise ValueError("nothing to add: name .npz files of reid-gl extract")
    check_frame_rate(options.fps, options.start)
    recording = Recording(options.camera, options.start, options.fps)
    with _open(options, "a") as gallery:
        return {"files": {path: add_file(gallery, Path(path), recording) for path in options.inputs}}


def _search(options: argparse.Namespace) -> dict[str, Any]:
    if bool(options.inputs) == bool(options.rows):
        raise ValueError("search for images, or for --rows of the gallery: give one of them")
    if options.inputs and not options.weights:
        raise ValueError("images need the network that filled the gallery: give --weights")
    calibration = load_calibration(options.weights) if options.weights else None
    exclude = [_rule(words) for words in options.exclude or []]
    with _open(options, "r", calibration=calibration, prior=options.prior) as gallery:
        if options.rows:
            names = [f"row {number}" for number in options.rows]
            queries = gallery.features_of(options.rows)
            exclude.append({"id": options.rows})
        else:
            names = options.inputs
            queries = FeatureExtractor(options.weights, device=options.device or "auto")(names)
        answers = gallery.search(
            queries,
            10 if options.k is None else options.k,
            cameras=options.cameras,
            time=_time(options),
            exclude=exclude,
            min_score=-1.0 if options.min_score is None else options.min_score,
            rerank=RerankSettings() if options.rerank else None,
            shortlist=100 if options.shortlist is None else options.shortlist,
            reason=options.reason or "",
        )
    return {"answers": plain_answers(names, answers)}


def _stats(options: argparse.Namespace) -> dict[str, Any]:
    if options.k is not None and options.recall is None:
        raise ValueError("--k of stats is the number of neighbours for --recall: give --recall too")
    with _open(options, "r") as gallery:
        stats = asdict(gallery.stats())
        if options.recall is None:
            return stats
        k = 50 if options.k is None else options.k
        recall = gallery.recall(options.recall, k)
        return {**stats, "recall": {"queries": options.recall, "k": k, "recall": recall}}


def _train(options: argparse.Namespace) -> dict[str, Any]:
    with _open(options, "r+") as gallery:
        return {"indexed": gallery.train()}


def _verify(options: argparse.Namespace) -> dict[str, Any]:
    with _open(options, "r") as gallery:
        found = gallery.verify()
    return {"is_whole": found.is_whole, **asdict(found)}


def _delete(options: argparse.Namespace) -> dict[str, Any]:
    with _open(options, "r+") as gallery:
        deleted = gallery.delete(
            ids=options.rows,
            pids=options.pids,
            cameras=options.cameras,
            time=_time(options),
            older_than=None if options.older_than is None else time.time() - options.older_than,
        )
    return {"deleted": deleted}


def _merge(options: argparse.Namespace) -> dict[str, Any]:
    if options.pids is None or options.into is None:
        raise ValueError("name the identities to merge and the one that stays: --pids 4 9 --into 2")
    with _open(options, "r+") as gallery:
        return {"changed": gallery.merge_identities(options.pids, into=options.into)}


def _keep(options: argparse.Namespace) -> dict[str, Any]:
    if options.for_ is None:
        raise ValueError("say for how long rows are kept: --for 30d, or --for ever")
    try:
        seconds = None if options.for_ == "ever" else duration(options.for_)
    except argparse.ArgumentTypeError as error:
        raise ValueError(f"--for: {error}, or ever") from None
    with _open(options, "r+") as gallery:
        return {"keep_seconds": seconds, "deleted": gallery.keep_for(seconds)}


def _export(options: argparse.Namespace) -> dict[str, Any]:
    if len(options.inputs) != 1:
        raise ValueError("name one .npz file to write")
    with _open(options, "r") as gallery:
        rows = gallery.export(options.inputs[0], cameras=options.cameras, time=_time(options))
    return {"output": options.inputs[0], "rows": rows}


ACTIONS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "add": _add,
    "search": _search,
    "stats": _stats,
    "train": _train,
    "verify": _verify,
    "delete": _delete,
    "merge": _merge,
    "keep": _keep,
    "export": _export,
}


def _time(options: argparse.Namespace) -> tuple[float | None, float | None] | None:
    return None if options.start is None and options.end is None else (options.start, options.end)


def _rule(words: list[str]) -> dict[str, list[int]]:
    """Parse a rule such as "camera=1 tracklet=7,8"."""
    rule = {}
    for word in words:
        field, equals, values = word.partition("=")
        try:
            rule[field] = [int(value) for value in values.split(",")]
        except ValueError:
            equals = ""
        if not equals:
            raise ValueError(f"--exclude takes words such as camera=1 or tracklet=7,8, got {word!r}")
    return rule
