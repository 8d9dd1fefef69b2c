from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from reid_gl.data.datasets.cub200 import FOLDER_NAMES, PUBLISHED, load_cub200

MakeFiles = Callable[[Path, Iterable[str]], Path]
IMAGES = (
    "001.Black_footed_Albatross/Black_Footed_Albatross_0002_55.jpg",
    "001.Black_footed_Albatross/Black_Footed_Albatross_0001_796111.jpg",
    "100.Brown_Pelican/Brown_Pelican_0001_93780.jpg",
    "101.White_Pelican/White Pelican ü.jpg",
    "200.Common_Yellowthroat/Common_Yellowthroat_0001_190398.jpg",
)
NOT_IMAGES = ("001.Black_footed_Albatross/Thumbs.db", ".ipynb_checkpoints/x.jpg", "notes.txt")


@pytest.fixture
def make_cub(make_files: MakeFiles) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        make_files(folder / "images", [*IMAGES, *NOT_IMAGES])
        return folder

    return make


def test_halves_of_the_classes(tmp_path: Path, make_cub: Callable[[Path], Path]) -> None:
    folder = make_cub(tmp_path)
    dataset = load_cub200(folder)
    assert (dataset.name, dataset.gallery, dataset.ks) == ("cub200", (), (1, 2, 4, 8))
    parts = [
        [
            (Path(sample.path).relative_to(folder / "images").as_posix(), sample.pid, sample.camid)
            for sample in part
        ]
        for part in (dataset.train, dataset.query)
    ]
    assert parts == [
        [(IMAGES[1], 1, -1), (IMAGES[0], 1, -1), (IMAGES[2], 100, -1)],
        [(IMAGES[3], 101, -1), (IMAGES[4], 200, -1)],
    ]


@pytest.mark.parametrize("home", ["", *FOLDER_NAMES, "cub_200_2011/CUB_200_2011"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_cub: Callable[[Path], Path], home: str
) -> None:
    folder = make_cub(tmp_path / home)
    expected = load_cub200(folder)
    for root in (tmp_path, str(folder), folder / "images", folder / "images" / "001.Black_footed_Albatross"):
        assert load_cub200(root) == expected


def test_agrees_with_the_lists_as_pytorch_metric_learning_reads_them(
    tmp_path: Path, make_cub: Callable[[Path], Path]
) -> None:
    folder = make_cub(tmp_path / "CUB_200_2011")
    names = [name for name in IMAGES if " " not in name]
    (folder / "images" / IMAGES[3]).unlink()  # a name that the peer cannot read
    (folder / "images" / "101.White_Pelican").rmdir()
    images, labels = (
        "".join(f"{number} {value(name)}\n" for number, name in enumerate(names, start=1))
        for value in (str, lambda name: int(name[:3]))
    )
    (folder / "images.txt").write_text(images, encoding="utf-8")
    (folder / "image_class_labels.txt").write_text(labels, encoding="utf-8")
    dataset = load_cub200(tmp_path)
    for split, samples in (("train", dataset.train), ("test", dataset.query)):
        peers = pytest.importorskip("pytorch_metric_learning.datasets")  # since 2.9
        peer = peers.CUB(str(tmp_path), split=split)
        assert [(sample.path, sample.pid) for sample in samples] == sorted(
            zip(peer.paths, peer.labels, strict=True)
        )


@pytest.mark.parametrize("name", ["birds", "1.Albatross", "000.Nobody", "201.Nobody", "0101.Pelican", "101"])
def test_a_strange_folder_is_named(
    tmp_path: Path, make_cub: Callable[[Path], Path], make_files: MakeFiles, name: str
) -> None:
    make_files(make_cub(tmp_path) / "images", [f"{name}/a.jpg"])
    with pytest.raises(
        ValueError, match=rf"folder '{name}' in .*images does not give its class: expected 001 to 200"
    ):
        load_cub200(tmp_path)


def test_two_folders_for_one_class_and_an_empty_class(
    tmp_path: Path, make_cub: Callable[[Path], Path]
) -> None:
    (make_cub(tmp_path) / "images" / "101.White_Pelican_2").mkdir()
    with pytest.raises(
        ValueError, match=r"'101.White_Pelican' and '101.White_Pelican_2' in .* both class 101"
    ):
        load_cub200(tmp_path)
    (tmp_path / "images" / "101.White_Pelican_2").rename(tmp_path / "images" / "102.Sayornis")
    with pytest.raises(FileNotFoundError, match=r"no image in .*102\.Sayornis"):
        load_cub200(tmp_path)


def test_a_miss_shows_the_tree(tmp_path: Path, make_files: MakeFiles) -> None:
    make_files(tmp_path, ["CUB_200_2011.tgz", "images/holiday.jpg"])
    with pytest.raises(
        FileNotFoundError, match=r"(?s)CUB-200-2011 is not in .*001\.Black.*an archive: unpack it"
    ):
        load_cub200(tmp_path)


def test_other_counts_are_said_once(
    tmp_path: Path, make_cub: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    make_cub(tmp_path)
    load_cub200(tmp_path)
    load_cub200(tmp_path)
    (record,) = caplog.records
    assert "cub200: 3 training images (published 5,864), 2 training identities" in record.getMessage()


def test_published_counts_fit_together() -> None:
    assert PUBLISHED.training_images + PUBLISHED.query_images == 11_788
    assert PUBLISHED.training_identities + PUBLISHED.query_identities == 200
