from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reid_gl.cli import extract_cuhk03
from reid_gl.cli.main import main


def test_the_folder_is_printed_and_may_be_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[Any, ...]] = []

    def extract(mat: str, out: str | None) -> Path:
        calls.append((mat, out))
        return Path("somewhere")

    monkeypatch.setattr(extract_cuhk03, "extract_cuhk03_images", extract)
    assert main(["extract-cuhk03", "--mat", "a.mat"]) == 0
    assert main(["extract-cuhk03", "--mat", "a.mat", "--out", "b"]) == 0
    assert calls == [("a.mat", None), ("a.mat", "b")]
    assert capsys.readouterr().out == "somewhere\nsomewhere\n"


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["extract-cuhk03", "--mat", str(tmp_path / "none.mat")]) == 1
    answer = capsys.readouterr()
    assert answer.out == ""
    assert "none.mat" in answer.err
