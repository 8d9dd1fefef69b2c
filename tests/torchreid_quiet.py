"""torchreid as a peer; its import warns of things that are none of our business."""

from __future__ import annotations

import importlib
import warnings
from types import ModuleType

import pytest


def import_torchreid_quietly(name: str) -> ModuleType:
    """A module of torchreid; where it is not installed, the test is skipped."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("torchreid")
        return importlib.import_module(name)
