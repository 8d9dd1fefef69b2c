from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from reid_gl.data.datasets.in_shop import FOLDER_NAMES, PUBLISHED, VARIANTS, load_in_shop

ROWS = (
    "img/WOMEN/Dresses/id_00000002/02_2_side.jpg                 id_00000002 train",
    "img/WOMEN/Dresses/id_00000002/02_1_front.jpg                id_00000002 train",
    "img/MEN/Denim/id_00000080/01_1_front.jpg                    id_00000080 train",
    "img/WOMEN/Blouses_Shirts/id_00000001/02_1_front.jpg         id_00000001 query",
    "img/WOMEN/Blouses_Shirts/id_00000001/02_3_back.jpg          id_00000001 gallery",
    "img/MEN/Pants/id_00007981/01_1_front.jpg                    id_00007981 query",
    "img/MEN/Pants/id_00007981/01_7_additional.jpg               id_00007981 gallery",
)
MakeInShop = Callable[..., Path]


def text_of(*rows: str) -> str:
    return "\n".join((str(len(rows)), "image_name item_id evaluation_status", *rows)) + "\n"


@pytest.fixture
def make_in_shop() -> MakeInShop:
    def make(folder: Path, variant: tuple[str, ...] = VARIANTS[0]) -> Path:
        place, images = variant
        for row in ROWS:
            image = (folder / images).parent / row.split()[0]
            image.parent.mkdir(parents=True, exist_ok=True)
            image.touch()
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text_of(*ROWS), encoding="utf-8", newline="")
        return folder

    return make


def test_three_parts(tmp_path: Path, make_in_shop: MakeInShop) -> None:
    dataset = load_in_shop(make_in_shop(tmp_path))
    assert (dataset.name, dataset.ks) == ("in_shop", (1, 10, 20, 40))
    parts = (dataset.train, dataset.query, dataset.gallery)
    names = [
        [Path(sample.path).relative_to(tmp_path / "Img").as_posix() for sample in part] for part in parts
    ]
    assert names == [[ROWS[row].split()[0] for row in part] for part in ((2, 1, 0), (5, 3), (6, 4))]
    assert [[(sample.pid, sample.camid) for sample in part] for part in parts] == [
        [(80, -1), (2, -1), (2, -1)],
        [(7981, -1), (1, -1)],
        [(7981, -1), (1, -1)],
    ]


@pytest.mark.parametrize("home", ["", *FOLDER_NAMES, "DeepFashion/In-shop Clothes Retrieval Benchmark"])
@pytest.mark.parametrize("variant", VARIANTS, ids="+".join)
def test_every_accepted_root_gives_the_same(
    tmp_path: Path, make_in_shop: MakeInShop, variant: tuple[str, ...], home: str
) -> None:
    folder = make_in_shop(tmp_path / home, variant)
    expected = load_in_shop(folder)
    assert len(expected.gallery) == 2
    for root in (tmp_path, str(folder), *(folder / entry for entry in variant)):
        assert load_in_shop(root) == expected


def test_blanks_other_letters_and_windows(tmp_path: Path, make_in_shop: MakeInShop) -> None:
    path = make_in_shop(tmp_path) / "Eval" / "list_eval_partition.txt"
    (tmp_path / "Img" / "img" / "WOMEN" / "a träin dress.jpg").touch()
    text = text_of(*ROWS, "img/WOMEN/a träin dress.jpg\tid_00000003 train  ")
    path.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    sample = load_in_shop(tmp_path).train[-1]
    assert (Path(sample.path).name, sample.pid) == ("a träin dress.jpg", 3)


@pytest.mark.parametrize(
    "row",
    [
        "img/WOMEN/1.jpg id_00000003",
        "img/WOMEN/1.jpg id_00000003 val",
        "img/WOMEN/1.jpg 3 train",
        "img/WOMEN/1.jpg id_00000000 train",
        "WOMEN/1.jpg id_00000003 train",
        "img/a.jpg img/b.jpg id_3 train x",
    ],
)
def test_a_strange_row_is_named(tmp_path: Path, make_in_shop: MakeInShop, row: str) -> None:
    path = make_in_shop(tmp_path) / "Eval" / "list_eval_partition.txt"
    path.write_text(text_of(*ROWS, row), encoding="utf-8")
    with pytest.raises(
        ValueError, match=rf"line 10 of .*partition\.txt reads '{row}': expected a row such as"
    ):
        load_in_shop(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (text_of(*ROWS)[2:], r"line 1 of .* reads 'image_name .*': expected the number of images"),
        (text_of(*ROWS).replace("7\n", "8\n", 1), r"names 7 images: line 1 says 8"),
        (text_of(*ROWS, ROWS[0]), r"line 10 of .* names 'img/WOMEN/Dresses/.*_side\.jpg' again"),
        (
            text_of(*ROWS, "img/../../x.jpg id_3 train"),
            r"line 10 of .* names the image 'img/\.\./\.\./x\.jpg'",
        ),
        (
            "1\nimage_pair_name_1 image_pair_name_2 item_id evaluation_status\n",  # consumer-to-shop
            r"line 2 of .* expected the titles 'image_name item_id evaluation_status'",
        ),
    ],
)
def test_a_strange_list_is_refused(tmp_path: Path, make_in_shop: MakeInShop, text: str, message: str) -> None:
    (make_in_shop(tmp_path) / "Eval" / "list_eval_partition.txt").write_text(text, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        load_in_shop(tmp_path)


@pytest.mark.parametrize("part", ["query", "gallery"])
def test_an_item_for_both_training_and_testing_is_refused(
    tmp_path: Path, make_in_shop: MakeInShop, part: str
) -> None:
    path = make_in_shop(tmp_path) / "Eval" / "list_eval_partition.txt"
    path.write_text(text_of(*ROWS, f"img/MEN/1.jpg id_00000080 {part}"), encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"1 identities are in both .*partition\.txt, the first is 80: expected"
    ):
        load_in_shop(tmp_path)


def test_a_missing_image_and_a_missing_list(tmp_path: Path, make_in_shop: MakeInShop) -> None:
    folder = make_in_shop(tmp_path)
    image = folder / "Img" / ROWS[3].split()[0]
    image.unlink()
    with pytest.raises(FileNotFoundError, match=rf"1 of the 7 images named in .*txt do not exist.*{image}"):
        load_in_shop(tmp_path)
    (folder / "Eval" / "list_eval_partition.txt").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"(?s)In-Shop Clothes Retrieval is not in .*Eval/list_eval_part"
    ):
        load_in_shop(tmp_path)


def test_other_counts_are_said_once(
    tmp_path: Path, make_in_shop: MakeInShop, caplog: pytest.LogCaptureFixture
) -> None:
    make_in_shop(tmp_path)
    load_in_shop(tmp_path)
    load_in_shop(tmp_path)
    (record,) = caplog.records
    assert "in_shop: 3 training images (published 25,882), 2 training identities" in record.getMessage()
    assert "2 gallery images (published 12,612)" in record.getMessage()


def test_published_counts_fit_together() -> None:
    assert PUBLISHED.training_images + PUBLISHED.query_images + PUBLISHED.gallery_images == 52_712
    assert PUBLISHED.training_identities + PUBLISHED.query_identities == 7_982
