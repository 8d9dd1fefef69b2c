"""The folder of one training run: its configuration, environment, checkpoints and logs."""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import logging
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from reid_gl.distributed.agreement import agreement
from reid_gl.distributed.ranks import is_first
from reid_gl.files import make_folder, write_text

try:
    import fcntl
except ImportError:  # Windows has no such locks
    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

PACKAGES = ("reid_gl", "torch", "torchvision", "torchreid", "opencv-python", "numpy", "scipy")
CONFIG_FILE = "config.yml"
TRAINING_FILE = "training.ckpt"
MODEL_FILE = "model.ckpt"
LOG_FILE = "log.jsonl"
ENVIRONMENT_FILE = "environment.json"
TENSORBOARD_FOLDER = "tensorboard"
LOCK_FILE = ".lock"
WRITTEN_IN_PLACE = (LOCK_FILE, LOG_FILE)
OF_AN_UNSAVED_RUN = re.compile(r"config\.yml|environment\.json|log\.jsonl|tensorboard|\.lock|\..*\.partial")
"""Files in the folder of a run before its first checkpoint."""


def find_run(path: str | Path, *, resume: bool) -> bool:
    """Return whether training in a folder resumes from a checkpoint or starts anew; changes nothing.

    A run that was stopped before its first checkpoint starts from the beginning, with and without `resume`.

    Args:
        path: the run folder, which may not exist.
        resume: continue the run in the folder.

    Raises:
        FileExistsError: the folder holds a run and resume is not set, or it holds other files.
        FileNotFoundError: there is nothing to resume.
        NotADirectoryError: the path is not a folder.
    """
    folder = Path(path)
    if not folder.exists():
        if resume:
            raise FileNotFoundError(f"there is no run to resume in {folder}: leave out --resume to start one")
        return False
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder: choose another one with OUTPUT_DIR <folder>")
    names = {file.name for file in folder.iterdir()}
    if {CONFIG_FILE, TRAINING_FILE} <= names:
        if resume:
            return True
        raise FileExistsError(
            f"{folder} already holds a run: continue it with --resume, or choose another folder with "
            "OUTPUT_DIR <folder>"
        )
    foreign = sorted(name for name in names if not OF_AN_UNSAVED_RUN.fullmatch(name))
    if foreign:
        raise FileExistsError(
            f"{folder} holds {', '.join(foreign[:3])}{' and more' if len(foreign) > 3 else ''}, and no run "
            "to resume: remove the folder, or choose another one with OUTPUT_DIR <folder>"
        )
    return False


def is_in_use(folder: Path) -> bool:
    """Return whether another process trains in a folder, which need not exist.

    Must not be called while this process trains in it: that would release its lock.
    """
    path = folder / LOCK_FILE
    if fcntl is None or not path.is_file() or not os.access(path, os.W_OK):
        return False
    with path.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            return isinstance(error, (BlockingIOError, PermissionError))  # else a file system without locks
    return False


@contextmanager
def open_run_folder(path: str | Path, *, config_text: str, resuming: bool) -> Iterator[Path]:
    """Create a new run folder, or enter the one to resume; no other process can train in it meanwhile.

    With several ranks, rank 0 creates and locks it.

    Args:
        path: the folder.
        config_text: resolved configuration as YAML, stored in the folder of a new run.
        resuming: result of find_run.

    Yields:
        The folder, with config.yml and environment.json in it.

    Raises:
        BlockingIOError: another process trains in the folder.
        FileExistsError, FileNotFoundError: as find_run, if the folder has changed since; or the folder does
            not exist on the host of another rank.
    """
    folder = Path(path)
    with contextlib.ExitStack() as open_until_the_end:
        with agreement():
            if is_first():
                open_until_the_end.enter_context(_entered(folder, config_text, resuming))
        with agreement():
            if not folder.is_dir():
                raise FileNotFoundError(
                    f"the run folder {folder} of rank 0 does not exist on this host: set OUTPUT_DIR to a "
                    "folder in a file system that all hosts share"
                )
        yield folder


@contextmanager
def _entered(folder: Path, config_text: str, resuming: bool) -> Iterator[None]:
    make_folder(folder)
    for name in WRITTEN_IN_PLACE:
        _check_is_file(folder / name)
    with _locked(folder):
        if find_run(folder, resume=resuming) != resuming:
            raise FileNotFoundError(f"the checkpoint in {folder} has been removed: start the command again")
        if not resuming:
            _start(folder, config_text)
        yield


def _start(folder: Path, config_text: str) -> None:
    if (folder / CONFIG_FILE).is_file():
        logger.info("the run in %s was stopped before its first checkpoint: it starts again", folder)
    (folder / LOG_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / TENSORBOARD_FOLDER, ignore_errors=True)
    write_text(folder / ENVIRONMENT_FILE, json.dumps(describe_environment(), indent=2) + "\n")
    write_text(folder / CONFIG_FILE, config_text)


def _check_is_file(path: Path) -> None:
    """Refuse a link, which would lead the writer to a file elsewhere, and a pipe, which would block it.

    Raises:
        FileExistsError: the path is neither a regular file nor free.
    """
    if os.path.lexists(path) and (path.is_symlink() or not path.is_file()):
        raise FileExistsError(
            f"{path} is a link, folder, pipe or device, and a run writes a file there: remove it"
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock out other processes; the system releases the lock when this one ends, even after a crash."""
    with (folder / LOCK_FILE).open("a+", encoding="utf-8") as file:
        try:
            if fcntl is not None:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            file.seek(0)
            process = file.read(20).strip() or "unknown"
            raise BlockingIOError(
                f"another process ({process}) trains in {folder}: wait for it, or choose another folder with "
                "OUTPUT_DIR <folder>"
            ) from None
        except OSError as error:  # a file system without locks
            logger.warning(
                "%s cannot be locked (%s): do not start a second training run in it", folder, error
            )
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def describe_environment() -> dict[str, Any]:
    """Return versions, commit, machine and command of this process, without paths of the program."""
    return {
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "commit": _commit(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _commit() -> str:
    """Return the commit of the source tree that the package runs from; "" for an installed package."""
    tree = Path(__file__).resolve().parents[2]
    if not (tree / ".git").exists():
        return ""
    answer = subprocess.run(
        ["git", "-C", str(tree), "describe", "--always", "--dirty", "--abbrev=40"],
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout.strip()
