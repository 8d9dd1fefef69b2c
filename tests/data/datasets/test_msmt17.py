from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets import msmt17
from reid_gl.data.datasets.msmt17 import load_msmt17

MakeFiles = Callable[[Path, Iterable[str]], Path]
LISTS = {
    "list_train.txt": "0001/0001_001_15_0303noon_0015_1.jpg 1\n0000/0000_000_01_0303morning_0015_0.jpg 0\n",
    "list_val.txt": "0000/0000_002_03_0303morning_0020_0.jpg 0\n\n",
    "list_query.txt": "0000/0000_000_04_0303afternoon_0000_0_ex.jpg 0\n",
    "list_gallery.txt": "0002/0002_000_05_0113noon_0004_0.jpg 2\r\n0000/0000_001_07_0303noon_01_0.jpg 0\r\n",
}


@pytest.fixture(params=["train test", "mask_train_v2 mask_test_v2"], ids=["v1", "v2"])
def folders(request: pytest.FixtureRequest) -> tuple[str, str]:
    train, test = request.param.split()
    return train, test


@pytest.fixture
def make_msmt17(make_files: MakeFiles, folders: tuple[str, str]) -> Callable[[Path], Path]:
    def make(root: Path) -> Path:
        for name, text in LISTS.items():
            folder = folders[name in ("list_query.txt", "list_gallery.txt")]
            make_files(root, [f"{folder}/{line.split()[0]}" for line in text.splitlines() if line])
            (root / name).write_text(text, encoding="utf-8", newline="")
        return root

    return make


@pytest.mark.parametrize("home", ["", "MSMT17_V1", "msmt17/MSMT17_V2", "msmt17"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_msmt17: Callable[[Path], Path], folders: tuple[str, str], home: str
) -> None:
    folder = make_msmt17(tmp_path / home)
    dataset = load_msmt17(tmp_path)
    for root in (folder, folder / folders[0], folder / folders[1], folder / "list_query.txt"):
        assert load_msmt17(root) == dataset
    assert dataset.name == "msmt17"
    assert [Path(sample.path).relative_to(folder).as_posix() for sample in dataset.train] == [
        f"{folders[0]}/0000/0000_000_01_0303morning_0015_0.jpg",
        f"{folders[0]}/0000/0000_002_03_0303morning_0020_0.jpg",
        f"{folders[0]}/0001/0001_001_15_0303noon_0015_1.jpg",
    ]
    assert [sample.camid for sample in dataset.train] == [0, 2, 14]


def test_test_people_are_apart_from_training_people_and_nobody_is_zero(
    tmp_path: Path, make_msmt17: Callable[[Path], Path]
) -> None:
    dataset = load_msmt17(make_msmt17(tmp_path))
    assert [sample.pid for sample in dataset.train] == [1, 1, 2]
    assert [sample.pid for sample in dataset.query] == [3]  # 0 + 1 + two training people
    assert [(sample.pid, sample.camid) for sample in dataset.gallery] == [(3, 6), (5, 4)]


def test_without_val_the_training_set_is_list_train_and_nobody_gets_another_number(
    tmp_path: Path, make_msmt17: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    everything = load_msmt17(make_msmt17(tmp_path))
    alone = load_msmt17(tmp_path, with_validation=False)
    assert [sample for sample in everything.train if "0000_002_03" not in sample.path] == list(alone.train)
    assert (alone.query, alone.gallery) == (everything.query, everything.gallery)
    assert alone.name == "msmt17_without_val"
    assert "2 training images (published 30,248)" in caplog.text


def test_people_who_are_only_in_val_still_shift_the_test_people(
    tmp_path: Path, make_msmt17: Callable[[Path], Path]
) -> None:
    make_msmt17(tmp_path)
    image = "0005/0005_000_01_0303noon_0015_0.jpg"
    path = load_msmt17(tmp_path).train[0].path.replace("0000/0000_000_01_0303morning_0015_0.jpg", image)
    Path(path).parent.mkdir()
    Path(path).touch()
    with (tmp_path / "list_val.txt").open("a") as file:
        file.write(f"{image} 5\n")
    assert load_msmt17(tmp_path, with_validation=False).query == load_msmt17(tmp_path).query


def test_missing_images_are_counted_and_the_first_named(
    tmp_path: Path, make_msmt17: Callable[[Path], Path], folders: tuple[str, str]
) -> None:
    make_msmt17(tmp_path)
    (tmp_path / folders[0] / "0000" / "0000_002_03_0303morning_0020_0.jpg").unlink()
    (tmp_path / folders[1] / "0002" / "0002_000_05_0113noon_0004_0.jpg").unlink()
    (tmp_path / folders[1] / "0002").rmdir()
    message = r"2 of the 6 images named in the lists of .* first is .*0002_000_05_.*unpack the data set again"
    with pytest.raises(FileNotFoundError, match=message):
        load_msmt17(tmp_path)


@pytest.mark.parametrize(
    "line",
    ["0000/0000_000_01_a.jpg", "0000/0000.jpg 0", "0000/0000_000_00_a.jpg 0", "0000/0000_000_01_a.jpg -1"],
)
def test_a_strange_line_is_named(tmp_path: Path, make_msmt17: Callable[[Path], Path], line: str) -> None:
    make_msmt17(tmp_path)
    path = tmp_path / "list_val.txt"
    path.write_text(f"{LISTS['list_val.txt']}{line}\n", encoding="utf-8")
    with pytest.raises(ValueError, match=rf"line 3 of .*list_val\.txt reads '{line}': expected an image"):
        load_msmt17(tmp_path)


def test_other_counts_are_said_once(
    tmp_path: Path, make_msmt17: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    make_msmt17(tmp_path)
    load_msmt17(tmp_path)
    load_msmt17(tmp_path)
    (record,) = caplog.records
    assert "msmt17: 3 training images (published 32,621)" in record.getMessage()


def test_a_missing_list_is_a_miss(tmp_path: Path, make_msmt17: Callable[[Path], Path]) -> None:
    make_msmt17(tmp_path)
    (tmp_path / "list_val.txt").unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"(?s)MSMT17 is not in.*nearest match: {tmp_path}, which lacks list_val"
    ):
        load_msmt17(tmp_path)


def test_an_identity_of_ten_thousand_digits_is_no_identity(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"0000/0000_000_01_0303morning_0015_0.jpg {'1' * 10_000}\n")
    with pytest.raises(ValueError, match=r"line 1 of .*list\.txt reads .{,300}: expected an image and"):
        msmt17._read_list(tmp_path / "list.txt", "images")
