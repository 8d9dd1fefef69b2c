from __future__ import annotations

from pathlib import Path

import pytest

from reid_gl.data.checking.check import check_dataset
from reid_gl.experiment.checking.check_dataset import run_check_dataset
from reid_gl.experiment.checking.check_findings import Findings
from reid_gl.experiment.checking.check_sheet import make_contact_sheet
from reid_gl.records import ReidDataset, Sample
from tests.experiment.checking.checked_set import TRAIN, write_checked_set
from tests.report.test_contact_sheet import Page


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return write_checked_set(tmp_path / "market1501")


def test_a_sheet_shows_at_most_twenty_people_with_twelve_images(root: Path, tmp_path: Path) -> None:
    image = (root / TRAIN / "0001_c1s1_000000_00.png").read_bytes()
    for pid in range(100, 130):
        for number in range(15):
            (root / TRAIN / f"0{pid}_c{number % 3 + 1}s1_{number:06}_00.png").write_bytes(image)
    run_check_dataset("market1501", root, sheet=tmp_path / "sheet.html")
    page = Page((tmp_path / "sheet.html").read_text(encoding="utf-8"))
    train = page.texts[
        page.texts.index("Some identities: train") : page.texts.index("Some identities: query")
    ]
    rows = [text for text in train if text.startswith("identity ")]
    assert len(rows) == 20
    assert sum(row.endswith(": 12 of 15 images") for row in rows) >= 17
    cameras = [text[:8] for text in train if text.startswith("camera ")]
    assert set(cameras) == {"camera 0", "camera 1", "camera 2"}


def test_names_cannot_run_scripts(root: Path, tmp_path: Path) -> None:
    name = "0001_c1s1_000099_<script>alert(1)<script>.png"
    (root / TRAIN / "0001_c1s1_000000_00.png").rename(root / TRAIN / name)
    run_check_dataset("market1501", root, sheet=tmp_path / "<b>.html")
    page = Page((tmp_path / "<b>.html").read_text(encoding="utf-8"))
    assert "script" not in page.tags
    assert f"camera 0, {name}" in page.texts


def test_images_that_cannot_be_read_are_blank_and_named(root: Path) -> None:
    path = str(root / TRAIN / "0001_c1s1_000000_00.png")
    dataset = ReidDataset((Sample(path, 1), Sample(str(root / "gone.png"), 1, 3)), (), ())
    report = check_dataset(dataset)
    page = Page(make_contact_sheet(dataset, report, Findings(("one error",), ()), "a table"))
    texts = [text for text in page.texts if text.strip()]
    assert "identity 1: 2 of 2 images" in texts
    assert {"camera unknown, 0001_c1s1_000000_00.png", "camera 3, gone.png"} <= set(texts)
    assert texts[texts.index("Errors") + 1] == "one error"
    assert texts[texts.index("Warnings") + 1] == "none"
    assert texts[texts.index("Images that cannot be used") + 1] == "1 of 1"
