from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.ilids import load_ilids

MakeFiles = Callable[[Path, Iterable[str]], Path]
NAMES = [f"Persons/{pid:04}{image:03}.jpg" for pid in range(119) for image in range(4)]


@pytest.mark.parametrize("home", ["", "i-LIDS_Pedestrian", "ilids/i-LIDS_Pedestrian"])
def test_two_images_of_each_test_person(
    tmp_path: Path, make_files: MakeFiles, home: str, caplog: pytest.LogCaptureFixture
) -> None:
    folder = make_files(tmp_path / home, NAMES)
    dataset = load_ilids(tmp_path, split=3)
    assert load_ilids(folder / "Persons", split=3) == dataset != load_ilids(tmp_path)
    assert not caplog.records
    assert [len(part) for part in (dataset.train, dataset.query, dataset.gallery)] == [59 * 4, 60, 60]
    assert [sample.pid for sample in dataset.query] == [sample.pid for sample in dataset.gallery]
    assert not {sample.pid for sample in dataset.train} & {sample.pid for sample in dataset.query}
    assert not set(dataset.query) & set(dataset.gallery)
    first = dataset.train[0]
    assert (first.pid, first.camid) == (int(Path(first.path).name[:4]) + 1, -1)


def test_what_does_not_do(tmp_path: Path, make_files: MakeFiles, caplog: pytest.LogCaptureFixture) -> None:
    make_files(tmp_path, NAMES[:8])
    load_ilids(tmp_path)
    assert "ilids: 8 images of 2 people (published 476 of 119)" in caplog.text
    with pytest.raises(ValueError, match="i-LIDS has no split 10: expected 0 to 9"):
        load_ilids(tmp_path, split=10)
    make_files(tmp_path, ["Persons/0007001.jpg"])
    with pytest.raises(ValueError, match=r"1 people in .* have a single image, the first is 0007"):
        load_ilids(tmp_path)
    make_files(tmp_path, ["Persons/7.jpg"])
    with pytest.raises(ValueError, match=r"file name '7\.jpg' in .* does not say what it shows"):
        load_ilids(tmp_path)
