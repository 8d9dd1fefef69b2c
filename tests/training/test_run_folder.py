from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reid_gl.training.run_folder import find_run, is_in_use, open_run_folder


def start(folder: Path, config_text: str = "SEED: 1\n") -> Path:
    with open_run_folder(folder, config_text=config_text, resuming=find_run(folder, resume=False)) as opened:
        return opened


def test_a_new_folder_keeps_the_configuration_and_the_versions(tmp_path: Path) -> None:
    folder = start(tmp_path / "a" / "b")
    assert (folder / "config.yml").read_text() == "SEED: 1\n"
    environment = json.loads((folder / "environment.json").read_text())
    assert environment["packages"]["torch"]
    assert environment["command"]


def test_the_place_of_the_program_on_the_disk_is_nobody_s_business(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/home/somebody/bin/reid-gl", "train", "SEED", "1"])
    environment = (start(tmp_path / "run") / "environment.json").read_text()
    assert json.loads(environment)["command"] == ["reid-gl", "train", "SEED", "1"]
    assert "somebody" not in environment


def test_a_run_is_never_overwritten(tmp_path: Path) -> None:
    folder = start(tmp_path / "run")
    (folder / "training.ckpt").touch()
    with pytest.raises(FileExistsError, match=r"already holds a run: .*--resume.*OUTPUT_DIR"):
        start(folder)
    assert find_run(folder, resume=True)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize(
    "left", [[], ["config.yml"], ["config.yml", "environment.json", "log.jsonl", ".lock"]]
)
def test_a_run_without_a_checkpoint_starts_again(tmp_path: Path, left: list[str], resume: bool) -> None:
    for name in left:
        (tmp_path / name).write_text("old")
    (tmp_path / ".training.ckpt.partial").write_text("half")
    (tmp_path / "tensorboard").mkdir()
    (tmp_path / "tensorboard" / "events").write_text("old")
    assert not find_run(tmp_path, resume=resume)
    with open_run_folder(tmp_path, config_text="SEED: 2\n", resuming=False):
        assert (tmp_path / "config.yml").read_text() == "SEED: 2\n"
        assert not (tmp_path / "log.jsonl").exists()
        assert not (tmp_path / "tensorboard").exists()


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("name", ["model.ckpt", "thesis.tex", "training.ckpt", "result.json"])
def test_files_that_are_no_beginning_of_a_run_stay(tmp_path: Path, name: str, resume: bool) -> None:
    (tmp_path / name).write_text("years of work")
    with pytest.raises(FileExistsError, match=rf"holds {name}, and no run to resume: .*OUTPUT_DIR"):
        find_run(tmp_path, resume=resume)
    assert (tmp_path / name).read_text() == "years of work"


def test_resuming_nothing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no run to resume"):
        find_run(tmp_path / "run", resume=True)
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match=r"file is not a folder: .*OUTPUT_DIR"):
        find_run(tmp_path / "file", resume=True)


def test_two_processes_do_not_train_in_one_folder(tmp_path: Path) -> None:
    folder, ready = tmp_path / "run", tmp_path / "ready"
    code = (
        "import sys, pathlib\n"
        "from reid_gl.training.run_folder import open_run_folder\n"
        f"with open_run_folder({str(folder)!r}, config_text='', resuming=False):\n"
        f"    pathlib.Path({str(ready)!r}).touch()\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as other:
        while not ready.exists():
            assert other.poll() is None
            time.sleep(0.05)
        assert is_in_use(folder)
        with pytest.raises(BlockingIOError, match=rf"another process \({other.pid}\) trains in .*run: wait"):
            start(folder)
        other.kill()
    assert not is_in_use(folder)
    assert not is_in_use(tmp_path / "nowhere")
    assert start(folder) == folder  # a lock does not outlive its process


@pytest.mark.parametrize("name", [".lock", "log.jsonl"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_what_is_written_in_place_must_be_a_file(name: str, kind: str, tmp_path: Path) -> None:
    """A link in somebody's run folder would lead to any file of the user."""
    folder, victim = tmp_path / "run", tmp_path / "victim"
    folder.mkdir()
    victim.write_text("precious")
    if kind == "link":
        (folder / name).symlink_to(victim)
    elif kind == "pipe":
        os.mkfifo(folder / name)
    else:
        (folder / name).mkdir()
    with pytest.raises(FileExistsError, match=f"{name} is a link, folder, pipe or device"):
        start(folder)
    assert victim.read_text() == "precious"
    assert not is_in_use(folder)
