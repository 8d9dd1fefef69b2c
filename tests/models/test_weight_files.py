"""What is no file of weights is called by its name, and nothing that it declares is believed."""

from __future__ import annotations

import importlib
import io
import os
import re
import resource
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from reid_gl import FeatureExtractor
from reid_gl.models import NetSettings, ReidNet, load_backbone_weights, load_net, read_checkpoint
from reid_gl.models.foreign import load_foreign
from reid_gl.models.state_dicts import read_state_dict
from reid_gl.models.weight_files import check_weight_file
from tests.forked import run_forked


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "net.pth"


@pytest.fixture(scope="module")
def net() -> ReidNet:
    return ReidNet(NetSettings("resnet18", 2))


def zipped(**parts: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return file.getvalue()


POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 102502400\n"
OTHERS = {
    "a Git LFS pointer": POINTER,
    "a web page (HTML)": b"\r\n <!DOCTYPE html><html><body>Sign in</body></html>",
    "a safetensors file: write": struct.pack("<Q", 40) + b"{".ljust(40) + bytes(12),
    "a damaged safetensors file: it has 20 bytes and says that its header": b"\xff" * 7
    + b"\x0f{"
    + b" " * 11,
    "a gzip archive": b"\x1f\x8b\x08rest",
    "a tar archive": b"a".ljust(257, b"\0") + b"ustar" + b"\0" * 300,
    "an HDF5 file": b"\x89HDF\r\n\x1a\nrest",
    "a zip archive: unpack it": zipped(readme=b"hello"),
    "an archive of NumPy arrays": zipped(**{"a.npy": b"x"}),
    "a TorchScript program": zipped(net__data=b"", **{"net/data.pkl": b"", "net/code/a.py": b""}),
    "an archive that declares more than its": zipped(**{"net/data.pkl": b"", "net/data/0": bytes(10**6)}),
}
READERS: list[Callable[[Path, ReidNet], object]] = [
    lambda path, net: read_checkpoint(path),
    lambda path, net: load_foreign(path, "resnet18"),
    lambda path, net: load_backbone_weights(net, str(path)),
    lambda path, net: FeatureExtractor(path),
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", OTHERS)
def test_other_files_are_called_by_their_names(
    name: str, read: Callable[[Path, ReidNet], object], path: Path, net: ReidNet
) -> None:
    path.write_bytes(OTHERS[name])
    with pytest.raises(ValueError, match=rf"net\.pth is no file of weights but {re.escape(name)}") as caught:
        read(path, net)
    assert "\n" not in str(caught.value)
    assert "architecture" not in str(caught.value)


@pytest.mark.parametrize("read", READERS)
def test_what_is_no_regular_file_is_not_read(
    read: Callable[[Path, ReidNet], object], path: Path, net: ReidNet
) -> None:
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"net\.pth is empty: copy or download it again"):
        read(path, net)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(ValueError, match=r"net\.pth is not a file but a pipe"):
        read(path, net)
    path.unlink()
    path.mkdir()
    with pytest.raises(ValueError, match=r"net\.pth is (not a file but )?a folder"):
        read(path, net)
    path.rmdir()
    path.symlink_to("/dev/zero")
    with pytest.raises(ValueError, match=r"net\.pth is not a file but a device"):
        read(path, net)
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"net\.pth (do|does) not exist"):
        read(path, net)


@pytest.mark.parametrize("suffix", [".onnx", ".xml", ".torchscript"])
def test_pointers_in_place_of_exported_files(path: Path, suffix: str) -> None:
    exported = path.with_suffix(suffix)
    exported.write_bytes(POINTER)
    with pytest.raises(ValueError, match=r"no file of weights but a Git LFS pointer, .*: run git lfs pull"):
        FeatureExtractor(exported)


def test_the_advice_for_safetensors_works(path: Path) -> None:
    safetensors = pytest.importorskip("safetensors")
    importlib.import_module("safetensors.torch")
    old, new = path.with_suffix(".bin"), path  # under its own suffix it is read
    safetensors.torch.save_file(nn.Conv2d(3, 2, 1).state_dict(), old)
    with pytest.raises(ValueError, match="a safetensors file") as caught:
        read_state_dict(old)
    call = str(caught.value).partition("as a torch file, ")[2]
    exec(call, {"torch": torch, "safetensors": safetensors, "old": old, "new": new})
    assert sorted(read_state_dict(new)) == ["bias", "weight"]


def lying(path: Path, old: bytes, new: bytes) -> Path:
    """A file of torch.save with something else in its list of tensors."""
    torch.save({"weight": torch.arange(4.0)}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            assert old in content or not name.endswith("data.pkl")
            archive.writestr(name, content.replace(old, new, 1) if name.endswith("data.pkl") else content)
    return path


HUGE = b"\x8a\x06\0\0\0\0\0\x01"  # 2 ** 40
LIES = {
    "its storage": (b"K\x04tq\x07", HUGE + b"tq\x07"),
    "the tensor": (b"K\x04\x85q\x08K\x01", HUGE + b"\x85q\x08K\x01"),
    "the tensor, one number repeated": (b"K\x04\x85q\x08K\x01", HUGE + b"\x85q\x08K\x00"),
}


def read_in_little_memory(path: Path) -> None:
    """Read a file with 64 GB of addresses, in place of the 4 TB that it declares."""
    resource.setrlimit(resource.RLIMIT_AS, (2**36, 2**36))
    with pytest.raises(ValueError, match=r"net\.pth") as caught:
        read_state_dict(path)
    sys.stdout.write(f"{caught.value}\n")


OLD_TORCH = pytest.mark.skipif(
    torch.__version__ < "2.7", reason="this torch reads as many bytes as there are"
)


@pytest.mark.parametrize(
    "lie", [pytest.param(lie, marks=OLD_TORCH if lie == "its storage" else ()) for lie in LIES]
)
def test_declared_sizes_are_not_believed(lie: str, path: Path, net: ReidNet) -> None:
    lying(path, *LIES[lie])
    answer = run_forked(read_in_little_memory, path)
    assert answer.code == 0, answer.errors
    assert re.search(
        r"net\.pth( is truncated or|: the tensor 'weight' has 1099511627776 numbers)", answer.output
    )
    assert answer.output.count("\n") == 1
    with pytest.raises(ValueError, match=r"net\.pth( is no file of plain tensors|: the tensor 'weight' has)"):
        load_backbone_weights(net, str(path))


def test_a_true_file_passes_in_both_formats(path: Path) -> None:
    for new_format in (True, False):
        torch.save({"weight": torch.zeros(2)}, path, _use_new_zipfile_serialization=new_format)
        check_weight_file(path)


CHECKPOINT: dict[str, Any] = {
    "format": "reid_gl/1",
    "net": NetSettings("resnet18", 2).to_dict(),
    "preprocessing": {"height": 64, "width": 32, "mean": (0.5,) * 3, "std": (0.5,) * 3},
    "config": "TEST: {FEATURE: after_neck}",
}
SPOILED = {
    "net": [
        (None, "its part 'net' is NoneType, expected a dictionary"),
        ([1], "its part 'net' is list, expected a dictionary"),
        ({}, "the settings backbone, num_classes are unknown or missing"),
        ({**CHECKPOINT["net"], "wings": 2}, "the settings wings are unknown or missing"),
        ({**CHECKPOINT["net"], "num_classes": "2"}, "the network's num_classes must be int, got '2'"),
        ({**CHECKPOINT["net"], "neck": 3}, "the network's neck must be str, got 3"),
        ({**CHECKPOINT["net"], "num_classes": 10**12}, "has num_classes 1000000000000, but no tensor"),
        ({**CHECKPOINT["net"], "embedding_dim": 10**12}, "has embedding_dim 1000000000000, but no tensor"),
    ],
    "model": [
        (None, "its part 'model' is NoneType, expected a dictionary"),
        ({"a": 1}, "expected a tensor under 'a', got int"),
        ({"a": torch.zeros(2, device="meta")}, "the tensor 'a' is sparse, quantised or without numbers"),
        ({}, "num_classes 2, but no tensor has more than 0 numbers"),
    ],
    "preprocessing": [
        (7, "its part 'preprocessing' is int, expected a dictionary"),
        ({}, "the checkpoint's preprocessing is damaged (KeyError('mean')): expected height, width, kernel"),
        ({**CHECKPOINT["preprocessing"], "height": "a"}, "the input size must be positive, and at most 4096"),
        ({**CHECKPOINT["preprocessing"], "wings": 2}, "preprocessing is damaged (TypeError("),
    ],
    "config": [
        (3, "the configuration in the checkpoint is not YAML with sections, got '3'"),
        ("[" * 5000, "the configuration in the checkpoint is not YAML with sections"),
        ("a: b: c", "the configuration in the checkpoint is not YAML with sections, got 'a: b: c'"),
        ("{}", "the checkpoint's configuration has TEST.FEATURE None: expected one of before_neck, "),
        ("TEST: 3", "the checkpoint's configuration has TEST.FEATURE None"),
        ("TEST: {FEATURE: [a]}", "the checkpoint's configuration has TEST.FEATURE ['a']"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("part", "value", "message"), [(part, *case) for part, cases in SPOILED.items() for case in cases]
)
def test_a_spoiled_part_of_a_checkpoint(
    part: str, value: Any, message: str, path: Path, net: ReidNet
) -> None:
    torch.save({**CHECKPOINT, "model": net.state_dict(), part: value}, path)
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        FeatureExtractor(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("part", ["net", "model", "preprocessing", "config"])
def test_a_missing_part_of_a_checkpoint(part: str, path: Path, net: ReidNet) -> None:
    whole = {**CHECKPOINT, "model": net.state_dict()}
    torch.save(whole, path)
    assert FeatureExtractor(path).embedding_dim == 512
    torch.save({name: value for name, value in whole.items() if name != part}, path)
    with pytest.raises(
        ValueError, match=rf"net\.pth lacks the part '{part}' of a checkpoint, it has 4 names"
    ):
        FeatureExtractor(path)


def test_parts_that_only_some_commands_ask_for(path: Path, net: ReidNet) -> None:
    torch.save({**CHECKPOINT, "model": net.state_dict()}, path)
    checkpoint = load_net(path).checkpoint
    assert checkpoint.get("epoch") is None
    with pytest.raises(ValueError, match="lacks the part 'epoch' of a checkpoint"):
        checkpoint["epoch"]


def test_a_link_to_nothing_is_not_said_to_be_missing(path: Path) -> None:
    path.symlink_to(path.with_name("nowhere"))
    with pytest.raises(FileNotFoundError, match=r" is a link to nothing: weights cannot be read$"):
        check_weight_file(path)
