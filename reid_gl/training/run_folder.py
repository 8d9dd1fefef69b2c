"""The folder of one training run: what it was made from, how it went, what came of it."""

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
from reid_gl.files import write_text

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
TENSORBOARD_FOLDER = "tensorboard"
LOCK_FILE = ".lock"
OF_AN_UNSAVED_RUN = re.compile(r"config\.yml|environment\.json|log\.jsonl|tensorboard|\.lock|\..*\.partial")
"""What lies in the folder of a run before its first checkpoint."""


def find_run(path: str | Path, *, resume: bool) -> bool:
    """Whether a training in a folder goes on from a checkpoint, or starts; nothing is made or changed.

    A run that was stopped before its first checkpoint starts from the beginning, with and without `resume`.

    Args:
        path: the run folder, which may not exist.
        resume: continue the run in the folder.

    Raises:
        FileExistsError: the folder holds a run and resume is not set, or it holds other files.
        FileNotFoundError: there is nothing to resume.
        NotADirectoryError: the path is no folder.
    """
    folder = Path(path)
    if not folder.exists():
        if resume:
            raise FileNotFoundError(f"there is no run to resume in {folder}: leave out --resume to start one")
        return False
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is no folder: choose another one with OUTPUT_DIR <folder>")
    names = {file.name for file in folder.iterdir()}
    if {CONFIG_FILE, TRAINING_FILE} <= names:
        if resume:
            return True
        raise FileExistsError(
            f"{folder} holds a run already: continue it with --resume, or choose another folder with "
            "OUTPUT_DIR <folder>"
        )
    foreign = sorted(name for name in names if not OF_AN_UNSAVED_RUN.fullmatch(name))
    if foreign:
        raise FileExistsError(
            f"{folder} holds {', '.join(foreign[:3])}{' and more' if len(foreign) > 3 else ''}, and no run "
            "that could go on: remove the folder, or choose another one with OUTPUT_DIR <folder>"
        )
    return False


@contextmanager
def open_run_folder(path: str | Path, *, config_text: str, go_on: bool) -> Iterator[Path]:
    """Make a new run folder, or enter the one to go on with; no other process trains in it meanwhile.

    Of several ranks the first one makes and locks it.

    Args:
        path: the folder.
        config_text: resolved configuration as YAML, kept in the folder of a run that starts.
        go_on: what find_run said.

    Yields:
        The folder, with config.yml and environment.json in it.

    Raises:
        BlockingIOError: another process trains in the folder.
        FileExistsError, FileNotFoundError: as find_run, where the folder has changed since; or the folder is
            not there on the host of another rank.
    """
    folder = Path(path)
    with contextlib.ExitStack() as open_until_the_end:
        with agreement():
            if is_first():
                open_until_the_end.enter_context(_entered(folder, config_text, go_on))
        with agreement():
            if not folder.is_dir():
                raise FileNotFoundError(
                    f"the run folder {folder} of rank 0 is not there on this host: set OUTPUT_DIR to a "
                    "folder in a file system that all hosts share"
                )
        yield folder


@contextmanager
def _entered(folder: Path, config_text: str, go_on: bool) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder):
        if find_run(folder, resume=go_on) != go_on:
            raise FileNotFoundError(f"the checkpoint in {folder} has gone: start the command again")
        if not go_on:
            _start(folder, config_text)
        yield


def _start(folder: Path, config_text: str) -> None:
    if (folder / CONFIG_FILE).is_file():
        logger.info("the run in %s was stopped before its first checkpoint: it starts again", folder)
    (folder / LOG_FILE).unlink(missing_ok=True)
    shutil.rmtree(folder / TENSORBOARD_FOLDER, ignore_errors=True)
    write_text(folder / "environment.json", json.dumps(describe_environment(), indent=2) + "\n")
    write_text(folder / CONFIG_FILE, config_text)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keep other processes out; the system opens the lock when this one ends, however it ends."""
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
            logger.warning("%s cannot be locked (%s): start no second training in it", folder, error)
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def describe_environment() -> dict[str, Any]:
    """Versions, commit, machine and command of this process; not where the program lies on its disk."""
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
    """Commit of the source tree the package runs from; "" for an installed one."""
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
