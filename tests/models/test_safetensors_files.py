from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

from reid_gl.models.safetensors_files import read_safetensors, write_safetensors


def test_what_is_written_is_read_again_also_views_and_shared_memory(tmp_path: Path) -> None:
    whole = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "whole": whole,
        "again": whole,
        "turned": whole.T,
        "part": whole[1:, ::2],
        "half": whole.bfloat16(),
        "count": torch.tensor(3),
        "learned": torch.nn.Parameter(torch.ones(2)),
    }
    write_safetensors(tensors, tmp_path / "a.safetensors")
    read = read_safetensors(tmp_path / "a.safetensors")
    assert read.keys() == tensors.keys()
    for name, value in tensors.items():
        assert torch.equal(read[name], value), name
        assert (read[name].dtype, read[name].requires_grad) == (value.dtype, False)


def test_files_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_safetensors({"a": torch.zeros(100)}, path)
    whole = path.read_bytes()
    for content in (whole[:-1], whole[:20], b"no tensors at all"):
        path.write_bytes(content)
        with pytest.raises(
            ValueError, match=r"a\.safetensors is damaged or no \.safetensors file \(.*copy it"
        ):
            read_safetensors(path)
    with pytest.raises(ValueError, match=r"is not a file but a folder"):
        read_safetensors(tmp_path)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"weights .*a\.safetensors do not exist"):
        read_safetensors(path)


def test_the_package_is_asked_for_only_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    write_safetensors({"a": torch.zeros(1)}, path)
    monkeypatch.setitem(sys.modules, "safetensors.torch", None)
    with pytest.raises(ImportError, match=r"needs safetensors, .* pip install 'reid_gl\[safetensors\]'"):
        read_safetensors(path)
    with pytest.raises(ImportError, match="needs safetensors, which is not installed"):
        write_safetensors({"a": torch.zeros(1)}, tmp_path / "b.safetensors")


def test_a_header_of_many_megabytes_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    path.write_bytes((10**8).to_bytes(8, "little") + b"{}")
    with pytest.raises(
        ValueError, match=r"a\.safetensors .* its header has 100,000,000 bytes, more than the limit"
    ):
        read_safetensors(path)
