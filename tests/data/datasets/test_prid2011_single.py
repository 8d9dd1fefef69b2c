from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.prid2011_single import load_prid2011_single

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = [
    f"single_shot/cam_{camera}/person_{pid:04}.png"
    for camera, highest in (("a", 385), ("b", 749))
    for pid in range(1, highest + 1)
]


@pytest.mark.parametrize("home", ["", "prid_2011", "prid2011/prid_2011"])
def test_the_whole_set_has_the_published_sizes(
    tmp_path: Path, make_files: MakeFiles, home: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_files(tmp_path / home, NAMES)
    there, back = load_prid2011_single(tmp_path), load_prid2011_single(folder / "single_shot", split=10)
    assert not caplog.records
    assert there.train == back.train
    shared = {sample.pid for sample in there.query}
    assert shared == {sample.pid for sample in back.query}
    assert {sample.pid for sample in there.gallery} == shared | set(range(201, 750))
    assert {sample.pid for sample in back.gallery} == shared | set(range(201, 386))
    assert {sample.camid for sample in there.gallery} == {1}
    assert [sample.path for sample in there.gallery] == sorted(sample.path for sample in there.gallery)
    assert there.name == "prid2011_single"


def test_what_is_missing(tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture) -> None:
    pair = ["single_shot/cam_a/person_0001.png", "single_shot/cam_b/person_0001.png"]
    make_files(tmp_path, [*pair, *(name.replace("0001", "0002") for name in pair)])
    load_prid2011_single(tmp_path)
    assert "prid2011_single: 2 training images (published 200)" in caplog.text
    (tmp_path / pair[0]).unlink()
    with pytest.raises(
        ValueError, match="1 of 2 people are seen by only one camera, the first is identity 1"
    ):
        load_prid2011_single(tmp_path)
    make_files(tmp_path, ["single_shot/cam_a/someone.png"])
    with pytest.raises(ValueError, match=r"file name 'someone\.png' in .* does not say what it shows"):
        load_prid2011_single(tmp_path)
