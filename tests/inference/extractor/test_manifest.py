from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from reid_gl.inference.extractor.manifest import find_changes, read_manifest, sha256_of, write_manifest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(bytes(range(256)) * 5000)  # more than one part
    (tmp_path / "b.json").write_text("{}")
    (tmp_path / ".gitattributes").write_text("*.bin lfs")
    write_manifest(tmp_path)
    return tmp_path


def test_every_visible_file_is_listed(folder: Path) -> None:
    content = (folder / "a.bin").read_bytes()
    assert sha256_of(folder / "a.bin") == hashlib.sha256(content).hexdigest()
    expected = {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert read_manifest(folder / "manifest.json")["a.bin"] == expected
    assert set(read_manifest(folder / "manifest.json")) == {"a.bin", "b.json"}
    assert find_changes(folder) == []


def test_a_flipped_bit_a_missing_and_an_additional_file_are_named(folder: Path) -> None:
    content = bytearray((folder / "a.bin").read_bytes())
    content[700_000] ^= 8
    (folder / "a.bin").write_bytes(content)
    (folder / "b.json").unlink()
    (folder / "c.txt").write_text("new")
    damaged, missing, unlisted = find_changes(folder)
    assert damaged.startswith(f"a.bin has the SHA-256 {hashlib.sha256(content).hexdigest()}, expected ")
    assert missing == "b.json is missing"
    assert unlisted == "c.txt has no entry in manifest.json"
    assert find_changes(folder, ["b.json"]) == ["b.json is missing"]
    (folder / "a.bin").write_bytes(b"short")
    assert find_changes(folder, ["a.bin"]) == ["a.bin has 5 bytes, expected 1280000"]


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "[]",
        json.dumps({"format": "other/1", "files": {}}),
        json.dumps({"format": "reid_gl-manifest/1", "files": {"a": 3}}),
        json.dumps({"format": "reid_gl-manifest/1", "files": {"../a": {"sha256": "0" * 64, "bytes": 1}}}),
        json.dumps({"format": "reid_gl-manifest/1", "files": {"a": {"sha256": "short", "bytes": 1}}}),
    ],
)
def test_files_that_are_no_manifest(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(ValueError, match="is no manifest"):
        find_changes(tmp_path)
