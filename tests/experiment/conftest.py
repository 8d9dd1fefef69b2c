from __future__ import annotations

from pathlib import Path

import pytest

from tests.made_up_people import write_people

# fmt: off
SMALL = [
    "DATA.NAMES", "market1501",
    "DATA.NUM_WORKERS", "0",
    "INPUT.SIZE", "[64,32]",
    "INPUT.PAD", "2",
    "MODEL.BACKBONE", "timm:test_resnet",  # trains eight times as fast as resnet18
    "MODEL.PRETRAINED", "none",
    "MODEL.DEVICE", "cpu",
    "LOSS.GROUP.TEMPERATURE", "10.",
    "LOSS.GROUP.ANCHORS_PER_CLASS", "1",
    "SOLVER.IDENTITIES_PER_BATCH", "4",
    "SOLVER.IMAGES_PER_IDENTITY", "2",
    "SOLVER.NUM_EPOCHS", "3",
    "SOLVER.WARMUP_EPOCHS", "0.0",
    "SOLVER.MILESTONES", "[30]",
    "SOLVER.PRECISION", "float32",
    "SOLVER.CHECKPOINT_EVERY", "1",
    "SOLVER.EVALUATE_EVERY", "0",
    "TEST.FEATURE", "before_neck",
    "TEST.BATCH_SIZE", "16",
]
# fmt: on

RESNET = ["MODEL.BACKBONE", "resnet18"]
"""A network for SMALL whose last map passes a ReLU, which TEST.SLOPE needs."""


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_people(tmp_path_factory.mktemp("people") / "market1501")


@pytest.fixture
def words(people: Path, tmp_path: Path) -> list[str]:
    """Overrides for a run of seconds: eight people, three epochs of six steps."""
    return [*SMALL, "DATA.ROOT", str(people), "OUTPUT_DIR", str(tmp_path / "run")]
