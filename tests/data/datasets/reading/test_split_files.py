from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.data.datasets.reading.split_files import find_split_file, read_split


def test_in_the_folder_or_above(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    with pytest.raises(
        FileNotFoundError, match=r"s\.json is neither in .*set nor in the folder above it: it hol"
    ):
        find_split_file(folder, "s.json", "Set")
    (tmp_path / "s.json").touch()
    assert find_split_file(folder, "s.json", "Set") == tmp_path / "s.json"
    (folder / "s.json").touch()
    assert find_split_file(folder, "s.json", "Set") == folder / "s.json"


def test_lists_of_a_split(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps([{"train": [1], "test": [2], "num": 1}, {"train": [3]}]))
    assert read_split(path, ("train", "test"), 0, "Set") == {"train": [1], "test": [2]}
    with pytest.raises(ValueError, match=r"split 1 of .* lacks one of the lists train, test"):
        read_split(path, ("train", "test"), 1, "Set")
    with pytest.raises(ValueError, match="Set has no split 2: expected 0 to 1"):
        read_split(path, ("train", "test"), 2, "Set")
    for text, message in (
        ("{", "is not JSON"),
        ("{}", "is no list of splits"),
        ("[]", "is no list of splits"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            read_split(path, ("train",), 0, "Set")
