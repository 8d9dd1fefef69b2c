from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from reid_gl.experiment.checking.check_dataset import run_check_dataset
from tests.data.made_up_images import blobs, brighten, enlarge, read, reencode, write
from tests.experiment.checking.checked_set import GALLERY, QUERY, TRAIN, write_checked_set
from tests.report.test_contact_sheet import Page, decode


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_checked_set(tmp_path / "market1501")


def test_a_sound_set(root: Path) -> None:
    told: list[tuple[int, int]] = []
    summary = run_check_dataset("market1501", root, progress=lambda done, total: told.append((done, total)))
    assert told[-1] == (14, 14)
    assert summary["sound"]
    assert (summary["errors"], summary["warnings"], summary["sheet"]) == ([], [], None)
    assert summary["matches"]["num_scored"] == 2
    assert summary["splits"]["train"]["images_per_identity"] == {"min": 2, "median": 2, "max": 2}
    assert json.loads(json.dumps(summary))["name"] == "market1501"
    assert summary["table"].splitlines() == [
        "         images  identities  cameras  no identity  one image  images each     width       height",
        "train         6           3        2            0          0        2/2/2  64/64/64  128/128/128",
        "query         2           2        1            0          2        1/1/1  64/64/64  128/128/128",
        "gallery       6           2        2            2          0        2/2/2  64/64/64  128/128/128",
    ]


def test_faults_of_every_kind_and_the_sheet_that_shows_them(root: Path, tmp_path: Path) -> None:
    first = root / TRAIN / "0001_c1s1_000000_00.png"
    (root / GALLERY / "0011_c3s1_000050_00.png").write_bytes(first.read_bytes())
    changed = reencode(brighten(enlarge(read(str(root / TRAIN / "0002_c2s1_000003_00.png")))))
    write(root / QUERY / "0012_c3s1_000060_00.png", changed)
    (root / TRAIN / "0003_c1s1_000070_00.jpg").touch()
    write(root / TRAIN / "0012_c2s1_000080_00.png", blobs(80))
    write(root / QUERY / "0099_c2s1_000090_00.png", blobs(90))
    summary = run_check_dataset("market1501", root, sheet=tmp_path / "sheet.html")
    assert not summary["sound"]
    beginnings = (
        "1 image cannot be read",
        "1 identity is in the training set",
        "1 training image is also",
    )
    for sentence, beginning in zip(summary["errors"], (*beginnings, "1 test image is nearly"), strict=True):
        assert sentence.startswith(beginning)
    assert [sentence[:19] for sentence in summary["warnings"]] == [
        "1 image has several",
        "1 of 4 training ide",
        "only 3 of 4 queries",
    ]
    assert summary["matches"]["num_absent"] == 1
    assert len(summary["leaked_copies"]) == len(summary["label_conflicts"]) == 1
    assert summary["unreadable"][0]["path"].endswith("000070_00.jpg")
    text = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    page = Page(text)
    for title in (
        "Training images in the test set",
        "Test images that are nearly the same as training images",
        "The same image, several identities",
        "Images that cannot be used",
        "Some identities: gallery",
        "identity 12: 2 of 2 images",
    ):
        assert title in page.texts
    assert all(decode(image["src"]).shape == (112, 56, 3) for image in page.images)
    # 3 pairs side by side, 8 training images of which one is broken, 4 queries, 5 of the gallery
    assert len(page.images) == 6 + 7 + 4 + 5
    assert page.tags.count("figure") == len(page.images) + 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["market1501", "sheet.html"]


def test_the_sheet_is_the_same_each_time(root: Path, tmp_path: Path) -> None:
    pages = []
    for name in ("one.html", "two.html"):
        run_check_dataset("market1501", root, sheet=tmp_path / name)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_nothing_to_score_is_an_error_in_one_sentence(root: Path) -> None:
    for path in (root / GALLERY).glob("001*.png"):
        path.unlink()
    summary = run_check_dataset("market1501", root)
    assert summary["errors"][0].startswith("nothing can be scored: 0 of 2 queries have a match")
    assert summary["matches"] is None


def test_copies_of_queries_count_where_there_is_one_camera(
    root: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for split in (TRAIN, QUERY, GALLERY):
        for path in sorted((root / split).glob("*_c2*")):
            path.rename(path.with_name(path.name.replace("_c2", "_c1")))
    query = root / QUERY / "0011_c1s1_000006_00.png"
    (root / GALLERY / query.name).write_bytes(query.read_bytes())
    with caplog.at_level(logging.WARNING):
        summary = run_check_dataset("market1501", root)
    assert "the test set has one camera only: the camera rule is off" in caplog.text
    assert [sentence[:31] for sentence in summary["errors"]] == ["1 query has a copy of itself in"]
    assert len(summary["scored_copies"]) == 1


@pytest.mark.parametrize(
    ("sheet", "error", "message"),
    [
        ("nowhere/sheet.html", FileNotFoundError, "does not exist: make it first"),
        ("market1501", IsADirectoryError, "is a folder: name a file, such as .*sheet.html"),
    ],
)
def test_where_the_sheet_cannot_be(
    root: Path, tmp_path: Path, sheet: str, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        run_check_dataset("market1501", root, sheet=tmp_path / sheet)
