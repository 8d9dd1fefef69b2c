"""What an import must not load, because it takes time or may not be installed."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

TRACKERS = "boxmot ultralytics norfair motpy trackers supervision deep_sort_realtime deep_sort"
HIGHER = "reid_gl.training reid_gl.config"
STEPS = {
    "import reid_gl; assert reid_gl.__version__": "torch numpy cv2 yacs",
    "import reid_gl.losses": "pytorch_metric_learning",
    "import reid_gl.inference, reid_gl.models": f"torchvision torchreid tensorboard yacs {HIGHER}",
    "reid_gl.models.make_backbone('resnet18')": "torchreid timm",
    "import reid_gl.tracking": TRACKERS,
}
"""Statements that one process executes in this order, and what is not loaded after each."""


@pytest.fixture(scope="module")
def loaded() -> dict[str, list[str]]:
    """The names of all modules after each statement, and after the loss that needs its library."""
    statements = [*STEPS, "reid_gl.losses.make_triplet_loss()"]
    code = "import json, sys\nloaded = {}\n"
    code += "\n".join(f"{one}\nloaded[{one!r}] = list(sys.modules)" for one in statements)
    code += "\nprint(json.dumps(loaded))"
    answer = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return json.loads(answer.stdout)  # type: ignore[no-any-return]


@pytest.mark.slow
@pytest.mark.parametrize("statement", STEPS)
def test_an_import_loads_nothing_that_it_does_not_need(statement: str, loaded: dict[str, list[str]]) -> None:
    unwanted = STEPS[statement].split()
    assert not [name for name in loaded[statement] for one in unwanted if f"{name}.".startswith(f"{one}.")]


@pytest.mark.slow
def test_the_library_of_a_loss_is_loaded_when_it_is_needed(loaded: dict[str, list[str]]) -> None:
    assert "pytorch_metric_learning" in loaded["reid_gl.losses.make_triplet_loss()"]
