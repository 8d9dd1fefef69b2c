from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from reid_gl.inference.extractor.open_weights import open_weights
from tests.tiny_checkpoint import COLOURS, write_checkpoint


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"config": torch.ones(3)}, "the configuration in the checkpoint is not YAML with sections"),
        ({"config": "[" * 3000}, "the configuration in the checkpoint is not YAML with sections"),
        ({"inference": [3]}, r"test-time strategies cannot be read from \[3\]"),
        (
            {"preprocessing": {**COLOURS.to_dict(), "height": 10**6}},
            "at most 4096 each way, got 1000000",
        ),
        ({"preprocessing": {"height": 64}}, "preprocessing"),
    ],
)
def test_damaged_parts_are_said_with_the_name_of_the_file(
    tmp_path: Path, parts: dict[str, Any], message: str
) -> None:
    path = write_checkpoint(tmp_path / "model.ckpt", **parts)
    with pytest.raises(ValueError, match=rf"{path} cannot be used: .*{message}"):
        open_weights(path)
