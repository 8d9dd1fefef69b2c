from __future__ import annotations

import resource
import signal
import sys
from pathlib import Path

import pytest
import torch

from reid_gl.training.checkpoint import save_checkpoint
from tests.forked import run_forked


def save_on_a_full_disk(path: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))
    with pytest.raises(OSError, match="could not be written") as caught:
        save_checkpoint({"tensor": torch.zeros(100_000)}, path)
    sys.stdout.write(f"{caught.value}\n")


def test_round_trip(tmp_path: Path) -> None:
    checkpoint = {"a": torch.arange(3), "b": {"c": [1, 2.5, "x", None]}}
    save_checkpoint(checkpoint, tmp_path / "x.ckpt")
    loaded = torch.load(tmp_path / "x.ckpt", weights_only=True)
    assert torch.equal(loaded["a"], checkpoint["a"])
    assert loaded["b"] == checkpoint["b"]
    assert [path.name for path in tmp_path.iterdir()] == ["x.ckpt"]


@pytest.mark.parametrize(("exists", "state"), [(True, "is intact"), (False, "there is no previous one")])
def test_a_full_disk_leaves_the_old_checkpoint(tmp_path: Path, exists: bool, state: str) -> None:
    path = tmp_path / "x.ckpt"
    if exists:
        save_checkpoint({"epoch": 1}, path)
    answer = run_forked(save_on_a_full_disk, path)
    assert answer.code == 0, answer.errors
    assert state in answer.output
    assert len(answer.output.splitlines()) == 1
    assert [item.name for item in tmp_path.iterdir()] == (["x.ckpt"] if exists else [])
    if exists:
        assert torch.load(path, weights_only=True) == {"epoch": 1}


def test_a_missing_folder_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="could not be written"):
        save_checkpoint({}, tmp_path / "gone" / "x.ckpt")
