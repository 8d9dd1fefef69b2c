"""Check that all ranks that train one network have the same configuration, program and images."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

import reid_gl
from reid_gl.config import describe_changes
from reid_gl.distributed.agreement import agreement, value_of_first
from reid_gl.distributed.ranks import ranks

OF_A_HOST = ("DATA.ROOT", "DATA.CACHE", "DATA.NUM_WORKERS")
"""Keys that may differ between ranks: where a host keeps its copy of the data, and how it reads it."""


def check_same_everywhere(config_text: str) -> None:
    """Compare configuration (YAML) and program with those of rank 0; does nothing in a single process.

    Raises:
        ValueError: they differ; names the keys or what else differs.
    """
    if ranks().world_size == 1:
        return
    text, program = value_of_first((config_text, describe_program()))
    with agreement():
        if changed := describe_changes(text, config_text, may_change=OF_A_HOST):
            raise ValueError(
                f"the configuration is not that of rank 0 ({changed}): start all hosts with the same file "
                "and overrides"
            )
        for name, own in describe_program().items():
            if own != program[name]:
                raise ValueError(
                    f"{name} is {own} here and {program[name]} on rank 0: install the same version everywhere"
                )


def check_same_images(images: dict[str, Any]) -> None:
    """Compare the description of the training images (JSON values) with that of rank 0.

    Raises:
        ValueError: they differ.
    """
    first = value_of_first(images)
    with agreement():
        if images != first:
            raise ValueError(
                f"the training set has {images['number']} images here and {first['number']} on rank 0, or "
                "different ones: give all hosts the same copy (DATA.ROOT)"
            )


def describe_program() -> dict[str, str]:
    """Return what must be the same on all ranks: the digest of the package's files, and torch's version."""
    digest = hashlib.sha256()
    folder = Path(reid_gl.__file__).parent
    for path in sorted(folder.rglob("*.py")):
        digest.update(json.dumps([path.relative_to(folder).as_posix(), path.read_text("utf-8")]).encode())
    return {"the digest of reid_gl's files": digest.hexdigest()[:12], "torch": torch.__version__}
