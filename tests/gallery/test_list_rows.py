from __future__ import annotations

import json
from pathlib import Path

import pytest

from reid_gl.gallery import Gallery
from tests.gallery.made_up_galleries import filled


def test_rows_are_listed_without_a_search(tmp_path: Path) -> None:
    path = tmp_path / "people.db"
    _, metadata = filled(path)
    listed = list(enumerate(metadata, start=1))
    with Gallery(path) as gallery:
        assert gallery.rows(count=99) == listed
        assert gallery.rows(skip=3, count=2) == listed[3:5]
        assert gallery.rows(camera=2, skip=1) == [one for one in listed if one[1].camera == 2][1:]
        assert gallery.rows(id=[7, 2, 99]) == [listed[1], listed[6]]
        gallery.delete(ids=1)  # a listing that stopped early holds no lock
        assert gallery.rows(count=1) == listed[1:2]
        with pytest.raises(ValueError, match="skip is the number of rows to leave out, at least 0, got -1"):
            gallery.rows(skip=-1)
        with pytest.raises(ValueError, match="count"):
            gallery.rows(count=0)
        with pytest.raises(ValueError, match="rows cannot be selected by 'colour'"):
            gallery.rows(colour=3)
    log = [json.loads(line) for line in path.with_name("people.db.audit.jsonl").read_text().splitlines()]
    assert [line["action"] for line in log] == ["add"] + ["read"] * 4 + ["delete", "delete done", "read"]
    assert log[2]["skip"] == 3
