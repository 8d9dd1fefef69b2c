"""Builds the error message for a data set that was not found."""

from __future__ import annotations

import difflib
import os
import re
import textwrap
from collections.abc import Iterator
from itertools import islice
from pathlib import Path, PurePosixPath

MAX_SHOWN = 8
MAX_LISTED = 1000
"""Maximum entries read per folder; five times as many in total, so that the message appears quickly."""

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tgz", ".gz", ".7z", ".rar")


def describe_miss(
    root: Path, title: str, folder_names: tuple[str, ...], variants: tuple[tuple[str, ...], ...], tree: str
) -> str:
    """Describe what was expected, what was found, and the nearest match.

    Args:
        root: the user's folder for the data set.
        title: name of the data set in messages.
        folder_names: possible names of its folder.
        variants: alternative layouts; each lists relative paths that must all exist.
        tree: the expected tree.

    Returns:
        Text of several lines.
    """
    base = _existing(root)
    wanted = folder_names if os.path.exists(root) else (*folder_names, root.name)
    reason = "" if base == root else f" ({root} {'is a file' if os.path.exists(root) else 'does not exist'})"
    nearest = _nearest_folder(base, variants) or _nearest_name(base, wanted, variants)
    return "\n".join(
        (
            f"{title} is not in {root}",
            "expected (this folder, its parent, or a part of it; "
            f"the folder may be called {', '.join(folder_names)}):",
            textwrap.indent(tree.strip("\n"), "    "),
            f"found in {base}{reason}: {_contents(base)}",
            f"nearest match: {nearest or 'none'}",
            "give the right folder, or see the project's data/README.md for where to get the data set; "
            "nothing is downloaded for you",
        )
    )


def _existing(root: Path) -> Path:
    """Return the root, or the nearest folder above it that exists."""
    absolute = Path(os.path.abspath(root))
    if os.path.isdir(root):
        return root
    return next(folder for folder in absolute.parents if os.path.isdir(folder))


def _list(folder: Path) -> list[os.DirEntry[str]]:
    """Return the visible entries of a folder by name; none if it cannot be read."""
    try:
        with os.scandir(folder) as entries:
            visible = (entry for entry in entries if not entry.name.startswith("."))
            return sorted(islice(visible, MAX_LISTED), key=lambda entry: entry.name)
    except OSError:
        return []


def _contents(folder: Path) -> str:
    try:
        os.scandir(folder).close()
    except OSError as error:
        return f"it cannot be read ({error.strerror or error})"
    entries = _list(folder)
    names = [entry.name + ("/" if os.path.isdir(entry.path) else "") for entry in entries[:MAX_SHOWN]]
    at_least = "at least " if len(entries) == MAX_LISTED else ""
    more = f" and {at_least}{len(entries) - MAX_SHOWN:,} more" if len(entries) > MAX_SHOWN else ""
    return (", ".join(names) or "nothing") + more


def _walk(base: Path) -> Iterator[os.DirEntry[str]]:
    """Return the entries one and two levels below a folder."""
    for entry in _list(base):
        yield entry
        if os.path.isdir(entry.path):  # unlike entry.is_dir(), no error without permission
            yield from _list(Path(entry.path))


def _nearest_folder(base: Path, variants: tuple[tuple[str, ...], ...]) -> str:
    """Return the folder that holds most of the expected paths; empty if none holds any."""
    best, best_rank = "", (False, 0)
    below = [entry.path for entry in islice(_walk(base), 5 * MAX_LISTED) if os.path.isdir(entry.path)]
    for folder in (str(base), *below):
        for variant in variants:
            lacking = [entry for entry in variant if not os.path.exists(os.path.join(folder, entry))]
            rank = (not lacking, len(variant) - len(lacking))
            if rank > best_rank:
                best_rank = rank
                best = f"{folder}, which " + (
                    f"lacks {', '.join(lacking)}" if lacking else "holds everything: give this folder"
                )
    return best


def _nearest_name(base: Path, names: tuple[str, ...], variants: tuple[tuple[str, ...], ...]) -> str:
    """Return the entry with the name most similar to an expected one; empty if none is similar."""
    parts = {PurePosixPath(entry).parts[0] for variant in variants for entry in variant}
    wanted = {_plain(name): name for name in (*sorted(parts), *names) if name}
    best, best_ratio, expected = "", 0.6, ""  # below this ratio names have little in common
    for entry in islice(_walk(base), 5 * MAX_LISTED):
        for plain, name in wanted.items():
            matcher = difflib.SequenceMatcher(None, _plain(entry.name), plain)
            if matcher.quick_ratio() > best_ratio and (ratio := matcher.ratio()) > best_ratio:
                best, best_ratio, expected = entry.path, ratio, name
    if best.lower().endswith(ARCHIVE_SUFFIXES):
        return f"{best}, an archive: unpack it first"
    return f"{best}, for {expected}" if best else ""


def _plain(name: str) -> str:
    """Return a name without case, punctuation and archive suffix."""
    stem = name.lower()
    for suffix in ARCHIVE_SUFFIXES:
        stem = stem.removesuffix(suffix)
    return re.sub(r"[^a-z0-9]", "", stem)
