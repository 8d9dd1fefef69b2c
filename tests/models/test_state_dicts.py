from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from reid_gl.models.safetensors_files import write_safetensors
from reid_gl.models.state_dicts import read_state_dict
from reid_gl.models.weights import CHECKPOINT_FORMAT

TENSORS = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.count": torch.tensor(7)}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.pth"


def save(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def as_lists(tensors: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {name: value.tolist() for name, value in tensors.items()}


@pytest.mark.parametrize("rank1", [np.float32(0.5), np.float64(0.5), 0.5])
def test_tensors_come_out_of_what_torchreid_writes_around_them(rank1: Any, path: Path) -> None:
    tensors = {f"module.{name}": value for name, value in TENSORS.items()}
    save(path, {"state_dict": tensors, "epoch": 60, "rank1": rank1, "optimizer": {"lr": 0.1}})
    assert as_lists(read_state_dict(path)) == as_lists(TENSORS)


@pytest.mark.parametrize("suffix", [".safetensors", ".SafeTensors"])
def test_safetensors_are_known_by_their_suffix_and_lose_prefixes_too(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"net{suffix}"
    write_safetensors({f"module.{name}": value for name, value in TENSORS.items()}, path)
    assert as_lists(read_state_dict(path)) == as_lists(TENSORS)


class Trap:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.mkdir, (str(self.folder),)


def test_nothing_in_the_file_is_executed(path: Path, tmp_path: Path) -> None:
    allowed = torch.serialization.get_safe_globals()
    save(path, {"state_dict": TENSORS, "trap": Trap(tmp_path / "sprung")})
    with pytest.raises(ValueError, match=r"holds Python objects \(posix\.mkdir\), which are never loaded"):
        read_state_dict(path)
    save(path, nn.Linear(2, 2))
    with pytest.raises(ValueError, match=r"Python objects \(torch\.nn.*save the network's state_dict"):
        read_state_dict(path)
    assert not (tmp_path / "sprung").exists()
    assert set(torch.serialization.get_safe_globals()) == set(allowed)


def test_files_that_are_no_weights(path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"weights .*net\.pth do not exist"):
        read_state_dict(path)
    whole = save(path, TENSORS).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"net\.pth is truncated or no torch file: copy"):
        read_state_dict(path)
    for content in ([1, 2], {"epoch": 3}, torch.zeros(2)):
        with pytest.raises(ValueError, match=r"net\.pth holds no state dict: expected names and tensors"):
            read_state_dict(save(path, content))
    save(path, {"format": CHECKPOINT_FORMAT, "model": TENSORS})
    with pytest.raises(ValueError, match="is a checkpoint of reid_gl and knows its network: leave the arch"):
        read_state_dict(path)
