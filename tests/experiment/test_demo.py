from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from reid_gl.experiment.demo import run_demo
from reid_gl.synthetic.plan import SyntheticSize
from reid_gl.training.fit import Interrupted

SIZE = SyntheticSize(
    num_train_identities=6,
    num_test_identities=4,
    num_queries=8,
    num_distractors=10,
    num_junk=2,
    cameras_per_identity=2,
    images_per_camera=2,
)
# fmt: off
SMALL = [
    "SOLVER.NUM_EPOCHS", "2",
    "SOLVER.IDENTITIES_PER_BATCH", "3",
    "SOLVER.IMAGES_PER_IDENTITY", "2",
    "SOLVER.CHECKPOINT_EVERY", "1",
    "INPUT.SIZE", "[32,16]",
    "MODEL.DEVICE", "cpu",
    "SOLVER.PRECISION", "float32",
    "TEST.PRECISION", "float32",
]
# fmt: on


def demo(folder: Path, **settings: Any) -> dict[str, Any]:
    with torch.random.fork_rng():
        return run_demo(folder / "demo", folder / "data", size=SIZE, overrides=tuple(SMALL), **settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    demo(folder)
    return folder


def test_the_summary_has_scores_and_seconds(finished: Path) -> None:
    summary = json.loads((finished / "demo" / "summary.json").read_text())
    for name in ("colour_histogram", "untrained", "trained"):
        assert 0 <= summary[name]["rank1"] <= 1
        assert 0 < summary[name]["mAP"] <= 1
        assert summary[name]["counts"]["queries"] == 8
    assert summary["seconds"].keys() == {"install", "render", "train", "test"}
    assert summary["seconds"]["train"] > 0
    assert summary["resumed"] is False


def test_a_second_demo_moves_the_first_aside_and_repeats_it(finished: Path) -> None:
    first = json.loads((finished / "demo" / "summary.json").read_text())
    second = demo(finished)
    kept = json.loads((finished / "demo-1" / "summary.json").read_text())
    assert kept == first
    assert second["trained"]["mAP"] == first["trained"]["mAP"]


def test_an_interrupted_demo_goes_on(finished: Path, tmp_path: Path) -> None:
    steps = iter([0, 0, 0, 15])
    with pytest.raises(Interrupted):
        demo(tmp_path, stop_signal=lambda: next(steps))
    assert not (tmp_path / "demo" / "summary.json").exists()
    result = demo(tmp_path)
    straight = json.loads((finished / "demo" / "summary.json").read_text())
    assert result["resumed"] is True
    assert result["trained"]["mAP"] == straight["trained"]["mAP"]


@pytest.mark.parametrize("names", [["thesis.tex"], ["summary.json"], ["train", "thesis.tex"]])
def test_a_folder_of_somebody_else_is_not_moved(names: list[str], tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    for name in names:
        (tmp_path / "demo" / name).write_text("years of work")
    with pytest.raises(
        FileExistsError,
        match="demo holds files that do not belong to a demo: choose another folder with --out",
    ):
        demo(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["demo"]
