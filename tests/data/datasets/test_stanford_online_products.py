from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reid_gl.data.datasets.stanford_online_products import (
    FOLDER_NAMES,
    PUBLISHED,
    load_stanford_online_products,
)

TITLES = "image_id class_id super_class_id path\n"
LISTS = {
    "Ebay_train.txt": f"{TITLES}1 2 1 bicycle_final/222_1.JPG\n2 1 1 bicycle_final/111_1.JPG\n"
    "3 1 1 bicycle_final/111_0.JPG\n",
    "Ebay_test.txt": f"{TITLES}4 11319 12 toaster_final/333_0.JPG\n5 11320 12 toaster_final/444_0.JPG\n",
}


@pytest.fixture
def make_products() -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        for name, text in LISTS.items():
            for line in text.splitlines()[1:]:
                image = folder / line.split()[3]
                image.parent.mkdir(parents=True, exist_ok=True)
                image.touch()
            (folder / name).write_text(text, encoding="utf-8", newline="")
        return folder

    return make


def test_training_and_test_list(tmp_path: Path, make_products: Callable[[Path], Path]) -> None:
    dataset = load_stanford_online_products(make_products(tmp_path))
    assert (dataset.name, dataset.gallery) == ("stanford_online_products", ())
    assert dataset.ks == (1, 10, 100, 1000)
    assert [(Path(sample.path).name, sample.pid, sample.camid) for sample in dataset.train] == [
        ("111_0.JPG", 1, -1),
        ("111_1.JPG", 1, -1),
        ("222_1.JPG", 2, -1),
    ]
    assert [(sample.path, sample.pid) for sample in dataset.query] == [
        (str(tmp_path / "toaster_final" / "333_0.JPG"), 11319),
        (str(tmp_path / "toaster_final" / "444_0.JPG"), 11320),
    ]


@pytest.mark.parametrize("home", ["", *FOLDER_NAMES, "sop/Stanford_Online_Products"])
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_products: Callable[[Path], Path], home: str
) -> None:
    folder = make_products(tmp_path / home)
    expected = load_stanford_online_products(folder)
    for root in (tmp_path, str(folder), folder / "Ebay_test.txt"):
        assert load_stanford_online_products(root) == expected


def test_agrees_with_pytorch_metric_learning(tmp_path: Path, make_products: Callable[[Path], Path]) -> None:
    make_products(tmp_path / "Stanford_Online_Products")
    dataset = load_stanford_online_products(tmp_path)
    for split, samples in (("train", dataset.train), ("test", dataset.query)):
        peers = pytest.importorskip("pytorch_metric_learning.datasets")  # since 2.9
        peer = peers.StanfordOnlineProducts(str(tmp_path), split=split)
        assert [(sample.path, sample.pid) for sample in samples] == sorted(
            zip(peer.paths, peer.labels, strict=True)
        )


def test_blanks_other_letters_and_windows(tmp_path: Path, make_products: Callable[[Path], Path]) -> None:
    make_products(tmp_path)
    (tmp_path / "fan_final").mkdir()
    (tmp_path / "fan_final" / "a blue fän.JPG").touch()
    text = LISTS["Ebay_test.txt"] + "6\t11321 5 fan_final/a blue fän.JPG \n"
    (tmp_path / "Ebay_test.txt").write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    dataset = load_stanford_online_products(tmp_path)
    assert (Path(dataset.query[0].path).name, dataset.query[0].pid) == ("a blue fän.JPG", 11321)


@pytest.mark.parametrize(
    "line",
    [
        "6 11321 5",
        "6 x 5 fan_final/1.JPG",
        "6 0 5 fan_final/1.JPG",
        "6 -1 5 fan_final/1.JPG",
        "11321 fan/1.JPG",
    ],
)
def test_a_strange_line_is_named(tmp_path: Path, make_products: Callable[[Path], Path], line: str) -> None:
    path = make_products(tmp_path) / "Ebay_test.txt"
    path.write_text(LISTS["Ebay_test.txt"] + line, encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"line 4 of .*Ebay_test\.txt reads '{line}': expected a row such as '1"
    ):
        load_stanford_online_products(tmp_path)


def test_a_class_in_both_lists_is_refused(tmp_path: Path, make_products: Callable[[Path], Path]) -> None:
    path = make_products(tmp_path) / "Ebay_test.txt"
    path.write_text(f"{LISTS['Ebay_test.txt']}6 2 1 bicycle_final/222_2.JPG\n", encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"1 identities are in both .* test set of {tmp_path}, the first is 2"
    ):
        load_stanford_online_products(tmp_path)


def test_paths_out_of_the_folder_and_missing_images(
    tmp_path: Path, make_products: Callable[[Path], Path]
) -> None:
    path = make_products(tmp_path / "sop") / "Ebay_test.txt"
    (tmp_path / "secret.jpg").touch()
    path.write_text(f"{LISTS['Ebay_test.txt']}6 11321 1 ../secret.jpg\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"line 4 of .*Ebay_test\.txt names the image '\.\./secret\.jpg'"):
        load_stanford_online_products(tmp_path)
    path.write_text(LISTS["Ebay_test.txt"], encoding="utf-8")
    (tmp_path / "sop" / "toaster_final" / "444_0.JPG").unlink()
    with pytest.raises(FileNotFoundError, match=r"1 of the 5 images named in the lists of .*444_0\.JPG"):
        load_stanford_online_products(tmp_path)


def test_a_missing_list_is_a_miss(tmp_path: Path, make_products: Callable[[Path], Path]) -> None:
    (make_products(tmp_path) / "Ebay_train.txt").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"(?s)Products is not in .*toaster_final/.*lacks Ebay_train\.txt"
    ):
        load_stanford_online_products(tmp_path)


def test_other_counts_are_said_once(
    tmp_path: Path, make_products: Callable[[Path], Path], caplog: pytest.LogCaptureFixture
) -> None:
    make_products(tmp_path)
    load_stanford_online_products(tmp_path)
    load_stanford_online_products(tmp_path)
    (record,) = caplog.records
    assert "3 training images (published 59,551), 2 training identities" in record.getMessage()


def test_published_counts_fit_together() -> None:
    assert PUBLISHED.training_images + PUBLISHED.query_images == 120_053
    assert PUBLISHED.training_identities + PUBLISHED.query_identities == 22_634
