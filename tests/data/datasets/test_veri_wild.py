from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.veri_wild import CAMERAS, load_veri_wild

MakeFiles = Callable[[Path, Iterable[str]], Path]
TRAIN = ("00003/000005", "00003/000006", "00000/000001")
TEST = {
    3000: (("00007/000011",), ("00007/000013", "00007/000012")),
    5000: (("00008/000021",), ("00008/000022",)),
    10000: (("00009/000031",), ("00009/000032",)),
}
TITLES = "id/image;Camera ID;Time;Model;Type;Color"


def _lists(*, new: bool) -> dict[str, list[str]]:
    """Lines of every list; newer ones have the ending, a number anew from 0 and the camera."""

    def lines(images: Iterable[str]) -> list[str]:
        return [f"{image}.jpg 0 23" if new else image for image in images]

    suffix = "_id" if new else ""
    content = {f"train_list{'_start0' if new else ''}.txt": lines(TRAIN)}
    for size, (query, gallery) in TEST.items():
        content |= {
            f"test_{size}{suffix}_query.txt": lines(query),
            f"test_{size}{suffix}.txt": lines(gallery),
        }
    return content


@pytest.fixture(params=[False, True], ids=["lists", "newer lists"])
def make_veri_wild(request: pytest.FixtureRequest, make_files: MakeFiles) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        images = [*TRAIN, *(image for sides in TEST.values() for side in sides for image in side)]
        make_files(folder, [f"images/{image}.jpg" for image in images])
        (folder / "train_test_split").mkdir(exist_ok=True)
        for name, lines in _lists(new=request.param).items():
            (folder / "train_test_split" / name).write_text("\r\n".join(lines), newline="")
        rows = [f"{image};{image[-2:]};2018-03-12 09:26:00;Jetta;SUV;白" for image in images]
        (folder / CAMERAS).write_text("\n".join([TITLES, *rows, ""]), encoding="utf-8")
        return folder

    return make


@pytest.mark.parametrize("home", ["", "VERI-Wild", "veri-wild"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_veri_wild: Callable[[Path], Path], home: str
) -> None:
    folder = make_veri_wild(tmp_path / home)
    dataset = load_veri_wild(tmp_path, size="small")
    for root in (folder, folder / "images", folder / "train_test_split", folder / CAMERAS):
        assert load_veri_wild(root, size="small") == dataset
    assert dataset.name == "veri_wild_small"


def test_vehicles_are_folders_and_cameras_those_of_the_list(
    tmp_path: Path, make_veri_wild: Callable[[Path], Path]
) -> None:
    dataset = load_veri_wild(make_veri_wild(tmp_path), size="small")
    assert [(s.pid, s.camid) for s in dataset.train] == [(1, 1), (4, 5), (4, 6)]
    assert [(s.pid, s.camid) for s in dataset.query] == [(8, 11)]
    assert [(s.pid, s.camid) for s in dataset.gallery] == [(8, 12), (8, 13)]
    assert dataset.gallery[0].path == str(tmp_path / "images" / "00007" / "000012.jpg")


def test_sizes(tmp_path: Path, make_veri_wild: Callable[[Path], Path]) -> None:
    folder = make_veri_wild(tmp_path)
    for size, pid in (("medium", 9), ("large", 10)):
        dataset = load_veri_wild(folder, size=size)
        assert {sample.pid for sample in dataset.query + dataset.gallery} == {pid}
        assert dataset.name == f"veri_wild_{size}"
    with pytest.raises(
        ValueError, match="unknown size 'tiny' of VERI-Wild: expected one of small, medium, large"
    ):
        load_veri_wild(folder, size="tiny")


def test_bad_lists(tmp_path: Path, make_veri_wild: Callable[[Path], Path]) -> None:
    folder = make_veri_wild(tmp_path)
    (path,) = (folder / "train_test_split").glob("test_10000*_query.txt")
    path.write_text("00009/000031\n/etc/x\n")
    with pytest.raises(
        ValueError, match=r"line 2 of .*_query\.txt reads '/etc/x': expected a row such as '00001/"
    ):
        load_veri_wild(folder, size="large")
    path.write_text("00009/000031\n00009/000099\n")
    with pytest.raises(
        ValueError, match=r"does not give the camera of 1 of the 2 images of .*first is 00009/000099"
    ):
        load_veri_wild(folder, size="large")
    path.write_text("00003/000005\n")
    with pytest.raises(ValueError, match="1 identities are in both the training set and the test set"):
        load_veri_wild(folder, size="large")
    path.unlink()
    with pytest.raises(FileNotFoundError, match=r"(?s)VERI-Wild is not in.*which lacks .*test_10000.*query"):
        load_veri_wild(folder, size="large")


def test_missing_images_and_cameras(tmp_path: Path, make_veri_wild: Callable[[Path], Path]) -> None:
    folder = make_veri_wild(tmp_path)
    (folder / "images" / "00007" / "000012.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of the 6 images named in the lists of .*000012"):
        load_veri_wild(folder, size="small")
    (folder / CAMERAS).write_text(f"{TITLES}\n00003/000005;x\n")
    with pytest.raises(
        ValueError, match=r"line 2 of .*vehicle_info\.txt reads '00003/000005;x': expected a row"
    ):
        load_veri_wild(folder, size="small")
