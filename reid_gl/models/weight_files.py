"""Identifies a weight file by its first bytes and its table of contents, before its content is read."""

from __future__ import annotations

import struct
import zipfile
from pathlib import Path

from reid_gl.untrusted.regular_file import check_regular_file, why_no_file
from reid_gl.untrusted.sizes import MAX_ARRAYS_BYTES

FIRST_BYTES = 512
NAMED = (
    (
        b"version https://git-lfs.github.com",
        "a Git LFS pointer, not the file it stands for: run git lfs pull",
    ),
    (b"\x1f\x8b", "a gzip archive: unpack it with gunzip"),
    (b"BZh", "a bzip2 archive: unpack it"),
    (b"\xfd7zXZ\0", "an xz archive: unpack it"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it"),
    (b"Rar!", "a RAR archive: unpack it"),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file, as Keras and MATLAB write them: give a file of torch.save"),
    (b"\x93NUMPY", "a NumPy array: give a file of torch.save"),
)
MAX_BYTES = {".onnx": 2**31, ".xml": 500_000_000}
"""Maximum size of files that are read whole; protobuf, and so ONNX, has the same limit."""
PAGES = (b"<!doctype html", b"<html", b"<head", b"<script")
SAFETENSORS = (
    "a safetensors file: write it anew as a torch file, torch.save(safetensors.torch.load_file(old), new)"
)


def check_weight_file(path: Path, *, kind: str = "weights", is_exported: bool = False) -> None:
    """Reject a file that cannot hold weights, and say what it is instead; reads only a few bytes.

    Args:
        path: the file.
        kind: name of the file in messages.
        is_exported: expect an ONNX, OpenVINO or TorchScript file instead of one written by torch.save.

    Raises:
        FileNotFoundError: no such file.
        ValueError: the file is not regular, is empty, is of another kind, or declares more bytes than it
            holds.
    """
    size = check_regular(path, kind=kind)
    if size == 0:
        raise ValueError(f"{path} is empty: copy or download it again")
    with path.open("rb") as file:
        start = file.read(FIRST_BYTES)
    found = _kind_by_name(start)
    if found is None and not is_exported:
        found = (
            _what_a_zip_is(path, size) if start.startswith(b"PK\x03\x04") else _kind_by_layout(start, size)
        )
    if found is not None:
        raise ValueError(f"{path} is no file of weights but {found}")


def check_regular(path: Path, *, kind: str = "weights") -> int:
    """Return the size of a regular file of weights in bytes; errors as check_weight_file."""
    limit = MAX_BYTES.get(path.suffix.lower(), MAX_ARRAYS_BYTES)
    try:
        return check_regular_file(path, max_bytes=limit, name=f"{kind} {path}")
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise FileNotFoundError(f"{path} {why_no_file(path)}: {kind} cannot be read") from None
        verb = "do" if kind.endswith("s") else "does"
        raise FileNotFoundError(f"{kind} {path} {verb} not exist") from None


def _kind_by_name(start: bytes) -> str | None:
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(PAGES):
        return "a web page (HTML), as a failed download or a link to a page gives: download the file itself"
    for beginning, meaning in NAMED:
        if start.startswith(beginning):
            return meaning
    return None


def _kind_by_layout(start: bytes, size: int) -> str | None:
    if start[257:262] == b"ustar":
        return "a tar archive: unpack it"
    if len(start) > 8 and start[8:9] == b"{":
        (header,) = struct.unpack("<Q", start[:8])
        if header <= size - 8:
            return SAFETENSORS
        return f"a damaged safetensors file: it has {size} bytes and says that its header alone has {header}"
    return None


def _what_a_zip_is(path: Path, size: int) -> str | None:
    """Say what a zip archive is; None for a file of torch.save (uncompressed) or a truncated archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            parts = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, struct.error):
        return None
    names = [part.filename for part in parts]
    if not any(name.endswith("/data.pkl") for name in names):
        kind = "an archive of NumPy arrays" if names and names[0].endswith(".npy") else "a zip archive"
        return f"{kind}: unpack it, and give a file of torch.save"
    if any("/code/" in name for name in names):
        return "a TorchScript program: FeatureExtractor takes it under a name that ends in .torchscript"
    if sum(part.file_size for part in parts) > size:
        return f"an archive that declares more than its {size} bytes, which torch.save never writes"
    return None
