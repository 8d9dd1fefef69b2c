from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.training.run_folder import open_run_folder


def test_a_new_folder_keeps_the_configuration_and_the_versions(tmp_path: Path) -> None:
    folder = open_run_folder(tmp_path / "a" / "b", config_text="SEED: 1\n", resume=False)
    assert (folder / "config.yml").read_text() == "SEED: 1\n"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["torch"]
    assert environment["command"]


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    open_run_folder(tmp_path / "run", config_text="SEED: 1\n", resume=False)
    with pytest.raises(FileExistsError, match=r"holds a run already: .*--resume.*OUTPUT_DIR"):
        open_run_folder(tmp_path / "run", config_text="SEED: 1\n", resume=False)


def test_an_empty_folder_is_no_run(tmp_path: Path) -> None:
    assert open_run_folder(tmp_path, config_text="", resume=False) == tmp_path


def test_resuming_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        open_run_folder(tmp_path / "run", config_text="", resume=True)


def test_resuming_under_another_configuration(tmp_path: Path) -> None:
    open_run_folder(tmp_path / "run", config_text="A:\n  B: 1\nSEED: 1\n", resume=False)
    with pytest.raises(ValueError, match=r"another configuration .now SEED: 2."):
        open_run_folder(tmp_path / "run", config_text="A:\n  B: 1\nSEED: 2\n", resume=True)


@pytest.mark.parametrize("line", ["NUM_WORKERS: 4", "ROOT: elsewhere", "DEVICE: cpu"])
def test_another_machine_may_resume(tmp_path: Path, line: str) -> None:
    key = line.partition(":")[0]
    open_run_folder(tmp_path / "run", config_text=f"A:\n  {key}: 1\nSEED: 1\n", resume=False)
    assert open_run_folder(tmp_path / "run", config_text=f"A:\n  {line}\nSEED: 1\n", resume=True)


@pytest.mark.parametrize("test", ["TEST:\n  BETA: 0.1\n  RERANK:\n    K1: 3\n", "TEST:\n  NEW: [1]\n", ""])
def test_another_way_to_score_is_the_same_training(tmp_path: Path, test: str) -> None:
    old = "SEED: 1\nTEST:\n  BETA: 0.0\nZ: 1\n"
    open_run_folder(tmp_path / "run", config_text=old, resume=False)
    assert open_run_folder(tmp_path / "run", config_text=f"SEED: 1\n{test}Z: 1\n", resume=True)
    with pytest.raises(ValueError, match=r"another configuration .now Z: 2."):
        open_run_folder(tmp_path / "run", config_text=f"SEED: 1\n{test}Z: 2\n", resume=True)
