"""`reid-gl weights`: folders of weights to publish, weights of a hub, and the public weights we know."""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Callable
from typing import Any

from reid_gl.experiment.weights import pull_weights, push_weights, verify_weights, write_weights_folder
from reid_gl.report.public_weights import format_public_weights

logger = logging.getLogger(__name__)

USAGE = {
    "list": "",
    "card": "WEIGHTS FOLDER",
    "verify": "FOLDER",
    "push": "FOLDER hf://owner/repo",
    "pull": "hf://owner/repo FOLDER",
}
TAKEN = {
    "list": set[str](),
    "card": {"license", "metrics"},
    "verify": set[str](),
    "push": {"private"},
    "pull": set[str](),
}
"""Options that each action takes."""
ALWAYS = {"action", "inputs", "traceback"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument("action", choices=tuple(USAGE), help="what to do")
    parser.add_argument(
        "inputs", nargs="*", help="; ".join(f"{action}: {words or 'none'}" for action, words in USAGE.items())
    )
    card = parser.add_argument_group("card")
    card.add_argument("--license", metavar="NAME", help="licence of the weights, such as apache-2.0")
    card.add_argument("--metrics", nargs="+", metavar="FILE", help="JSON files that reid-gl test wrote")
    push = parser.add_argument_group("push")
    push.add_argument("--private", action="store_true", default=None, help="create a private repository")


def run(options: argparse.Namespace) -> int:
    """Run one action; JSON, or the table, goes to stdout. `verify` returns 1 if a file has changed."""
    for name, value in vars(options).items():
        if value is not None and name not in ALWAYS | TAKEN.get(options.action, set()):
            raise ValueError(f"--{name} has no meaning for weights {options.action}")
    expected = USAGE[options.action].split()
    if len(options.inputs) != len(expected):
        usage = USAGE[options.action] or "no names"
        raise ValueError(f"weights {options.action} takes {usage}, got {len(options.inputs)} names")
    if options.action == "list":
        print(format_public_weights())
        return 0
    answer = ACTIONS[options.action](options)
    print(json.dumps(answer))
    return 0 if answer.get("is_whole", True) else 1


def _card(options: argparse.Namespace) -> dict[str, Any]:
    weights, folder = options.inputs
    written = write_weights_folder(
        weights, folder, license_name=options.license or "", metrics=options.metrics or ()
    )
    return {"folder": str(written), "files": sorted(path.name for path in written.iterdir())}


def _verify(options: argparse.Namespace) -> dict[str, Any]:
    (folder,) = options.inputs
    changes = verify_weights(folder)
    for change in changes:
        logger.error("%s: %s", folder, change)
    return {"folder": folder, "is_whole": not changes, "changes": changes}


def _push(options: argparse.Namespace) -> dict[str, Any]:
    folder, name = options.inputs
    return {"folder": folder, "commit": push_weights(folder, name, is_private=bool(options.private))}


def _pull(options: argparse.Namespace) -> dict[str, Any]:
    name, folder = options.inputs
    written = pull_weights(name, folder)
    return {"folder": str(written), "files": sorted(path.name for path in written.iterdir())}


ACTIONS: dict[str, Callable[[argparse.Namespace], dict[str, Any]]] = {
    "card": _card,
    "verify": _verify,
    "push": _push,
    "pull": _pull,
}
