"""The folder of one training run: what it was made from, how it went, what came of it."""

from __future__ import annotations

import importlib.metadata
import json
import platform
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

PACKAGES = ("reid_gl", "torch", "torchvision", "torchreid", "opencv-python", "numpy", "scipy")
CONFIG_FILE = "config.yml"
TRAINING_FILE = "training.ckpt"
MODEL_FILE = "model.ckpt"
LOG_FILE = "log.jsonl"
MAY_CHANGE = ("ROOT:", "NUM_WORKERS:", "DEVICE:")
"""Keys that belong to the machine and not to the experiment: a run may be resumed elsewhere."""
TEST_SECTION = re.compile(r"^TEST:\n(?: .*\n?)*", flags=re.MULTILINE)


def open_run_folder(path: str | Path, *, config_text: str, resume: bool) -> Path:
    """Make a new run folder, or enter the one to resume; never write over another run.

    Args:
        path: the folder.
        config_text: resolved configuration as YAML, kept in the folder.
        resume: continue the run in the folder; one that was stopped before its first checkpoint starts
            from the beginning.

    Returns:
        The folder, with config.yml and environment.json in it.

    Raises:
        FileExistsError: there is a run already and resume is not set.
        FileNotFoundError: there is nothing to resume.
        ValueError: the run to resume had another configuration, TEST apart; names the first keys that differ.
    """
    folder = Path(path)
    config_file = folder / CONFIG_FILE
    if resume:
        if not config_file.is_file():
            raise FileNotFoundError(f"there is no run to resume in {folder}: leave out --resume to start one")
        _check_same_config(config_file.read_text(encoding="utf-8"), config_text, folder)
        return folder
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(
            f"{folder} holds a run already: continue it with --resume, or choose another folder with "
            "OUTPUT_DIR <folder>"
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "environment.json", json.dumps(describe_environment(), indent=2) + "\n")
    write_text(config_file, config_text)
    return folder


def describe_environment() -> dict[str, Any]:
    """Versions, commit, machine and command of this process."""
    return {
        "command": sys.argv,
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "commit": _commit(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def write_text(path: Path, text: str) -> None:
    """Write a small file in one step, so that nobody reads half of it."""
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def describe_changes(old: str, new: str, *, may_change: tuple[str, ...] = MAY_CHANGE) -> str:
    """The first keys in which a new configuration differs from an old one; "" if they are the same.

    Args:
        old: YAML.
        new: YAML.
        may_change: beginnings of lines that do not count.
    """
    before, after = (
        [line for line in text.splitlines() if not line.strip().startswith(may_change)] for text in (old, new)
    )
    changed = [line.strip() for line in after if line not in before] or ["fewer keys"]
    return "" if before == after else "; ".join(changed[:3])


def _check_same_config(old: str, new: str, folder: Path) -> None:
    # how a network is scored does not change how it learns, and newer versions know more ways
    if changed := describe_changes(*(TEST_SECTION.sub("", text) for text in (old, new))):
        raise ValueError(
            f"the run in {folder} was started with another configuration (now {changed}): resume it with the "
            "same one, or start a new OUTPUT_DIR"
        )


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
