"""What docs/gallery.md shows must run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

GUIDE = (Path(__file__).parents[2] / "docs" / "gallery.md").read_text()


def test_the_examples_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec("\n".join(re.findall(r"^```python\n(.*?)```", GUIDE, flags=re.S | re.M)), names)
    first, second, tracked, third = capsys.readouterr().out.splitlines()
    assert first.startswith("[('1/0096.jpg', (12.0, 8.0, 60.0, 150.0), 0.9")
    assert second == "[True, True, False]"
    assert sorted(eval(tracked)) == [(0, 1, 0), (0, 1, 0), (0, 1, 0), (1, 1, 0), (1, 1, 0), (1, 1, 0)]
    assert third == "[True] True"
    assert (names["rows"], names["left"]) == (3, 1)
    searches = names["searches"]
    assert isinstance(searches, list)
    assert next(reason for _, _, reason in searches) == "an example"
