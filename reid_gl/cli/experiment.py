"""Functions shared by the commands that read an experiment file."""

from __future__ import annotations

import argparse
import json
import logging
import re
import sys
from collections.abc import Sequence
from typing import Any

import torch

from reid_gl.config import Experiment, load_experiment
from reid_gl.inference.strategies.settings import InferenceSettings
from reid_gl.report.scores import format_scores
from reid_gl.seeds import check_seed

KEY = re.compile(r"[A-Z][A-Z0-9_]*(\.[A-Z][A-Z0-9_]*)+|SEED|OUTPUT_DIR")


def add_config_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--config-file` and trailing overrides."""
    parser.add_argument("--config-file", metavar="FILE", help="experiment file, .yml or .yaml")
    parser.add_argument(
        "overrides",
        nargs="*",
        metavar="KEY VALUE",
        help="for example SEED 1 MODEL.DEVICE cpu INPUT.SIZE [128,64]",
    )


def add_jobs_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--jobs`."""
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="runs at the same time, each in a process with its share of the threads and, in turn, one of "
        "the GPUs; default: %(default)s",
    )


def read_arguments(options: argparse.Namespace) -> Experiment:
    """Read the experiment that the arguments describe."""
    return load_experiment(options.config_file, options.overrides)


def split_overrides(words: Sequence[str]) -> tuple[list[str], list[str]]:
    """Split an option's values from the KEY VALUE pairs after them, which argparse assigns to the option."""
    first = next((place for place, word in enumerate(words) if KEY.fullmatch(word)), len(words))
    return list(words[:first]), list(words[first:])


def prepare_torch(seed: int) -> None:
    """Apply process-wide settings; no other part of the package changes them.

    Raises:
        ValueError: as check_seed.
    """
    check_seed(seed)
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = True


def log_little_of_scoring() -> None:
    """Log only warnings from evaluation: a search would write the same line a hundred times."""
    logging.getLogger("reid_gl.evaluation").setLevel(logging.WARNING)


def print_scores(scores: dict[str, Any]) -> None:
    """Print the table to stderr and the JSON object to stdout."""
    print(format_scores({_describe(scores): scores}), file=sys.stderr)
    print(json.dumps(scores))


def print_all_scores(scores: dict[str, dict[str, Any]]) -> None:
    """Print several test sets: one table to stderr, one JSON object by name to stdout."""
    print(format_scores({_describe(row): row for row in scores.values()}), file=sys.stderr)
    print(json.dumps(scores))


def _describe(scores: dict[str, Any]) -> str:
    words = [scores["feature"], scores["distance"]]
    if "inference" in scores and (switches := str(InferenceSettings(**scores["inference"]))):
        words.append(switches)
    if scores.get("rerank"):
        words.append("re-ranked")
    return f"{scores['dataset']} ({', '.join(words)})"
