"""Checksums of the files of a folder, in a file beside them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from reid_gl.files import write_text
from reid_gl.untrusted.json_files import what_is_wrong
from reid_gl.untrusted.regular_file import check_regular_file, read_regular_file

MANIFEST_FILE = "manifest.json"
MANIFEST_FORMAT = "reid_gl-manifest/1"
MAX_MANIFEST_BYTES = 1_000_000
MAX_FILE_BYTES = 2**40
PART_BYTES = 2**20
SHA256 = re.compile(r"[0-9a-f]{64}")
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a regular file in hexadecimal digits."""
    check_regular_file(path, max_bytes=MAX_FILE_BYTES)
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(PART_BYTES):
            digest.update(part)
    return digest.hexdigest()


def write_manifest(folder: Path) -> Path:
    """Write the size and SHA-256 of every visible file of a folder, in place of an older manifest."""
    files = {path.name: {"sha256": sha256_of(path), "bytes": path.stat().st_size} for path in _listed(folder)}
    text = json.dumps({"format": MANIFEST_FORMAT, "files": files}, indent=2)
    write_text(folder / MANIFEST_FILE, f"{text}\n")
    return folder / MANIFEST_FILE


def read_manifest(path: Path) -> dict[str, dict[str, Any]]:
    """Read a manifest: per file name its "sha256" and "bytes".

    Raises:
        FileNotFoundError: no such file.
        ValueError: it is no manifest.
    """
    try:
        text = read_regular_file(path, max_bytes=MAX_MANIFEST_BYTES)
        values = json.loads(text)
        if values["format"] != MANIFEST_FORMAT:
            raise ValueError(f"format {values['format']!r}, expected {MANIFEST_FORMAT!r}")
        files = {
            str(name): {"sha256": str(said["sha256"]), "bytes": int(said["bytes"])}
            for name, said in values["files"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        raise ValueError(
            f"{path} is no manifest ({what_is_wrong(error)}): reid-gl weights card writes one"
        ) from None
    for name, said in files.items():
        if not PLAIN_NAME.fullmatch(name) or not SHA256.fullmatch(str(said["sha256"])):
            raise ValueError(f"{path} is no manifest: its entry {name[:100]!r} has no plain name and SHA-256")
    return files


def find_changes(folder: Path, names: Iterable[str] | None = None) -> list[str]:
    """Compare the files of a folder with its manifest.

    Args:
        folder: the folder.
        names: the files to compare; None for all, and then a visible file without an entry is reported too.

    Returns:
        One sentence per file that is missing, has another content, or has no entry; empty if all is well.

    Raises:
        FileNotFoundError, ValueError: as read_manifest.
    """
    expected = read_manifest(folder / MANIFEST_FILE)
    compared = [*expected] if names is None else [*names]
    changes = []
    for name in compared:
        path = folder / name
        if name not in expected:
            changes.append(f"{name} has no entry in {MANIFEST_FILE}")
        elif not path.is_file():
            changes.append(f"{name} is missing")
        elif path.stat().st_size != expected[name]["bytes"]:
            changes.append(f"{name} has {path.stat().st_size} bytes, expected {expected[name]['bytes']}")
        elif (found := sha256_of(path)) != expected[name]["sha256"]:
            changes.append(f"{name} has the SHA-256 {found}, expected {expected[name]['sha256']}")
    if names is None:
        unlisted = [path.name for path in _listed(folder) if path.name not in expected]
        changes += [f"{name} has no entry in {MANIFEST_FILE}" for name in unlisted]
    return changes


def _listed(folder: Path) -> list[Path]:
    """Every visible file of a folder except its manifest, sorted."""
    files = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in files if path.name != MANIFEST_FILE)
