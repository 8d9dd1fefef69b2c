from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from reid_gl.gallery import Gallery
from reid_gl.gallery.browse.browser import PAGE_ROWS, Browser, Choice
from reid_gl.gallery.browse.labels import Labels
from reid_gl.gallery.browse.stored_images import StoredImages
from tests.gallery.made_up_galleries import filled

COUNT = PAGE_ROWS + 10


@pytest.fixture
def browser(tmp_path: Path) -> Iterator[Browser]:
    vectors, _ = filled(tmp_path / "people.db", COUNT)
    labels = Labels(tmp_path / "labels.jsonl", "anna")
    with Gallery(tmp_path / "people.db", "r") as gallery:
        yield Browser(gallery, StoredImages(tmp_path), labels, lambda image: vectors[image[0, 0, 0]])


def png(value: int) -> bytes:
    return cv2.imencode(".png", np.full((8, 4, 3), value, np.uint8))[1].tobytes()


def test_the_overview(browser: Browser) -> None:
    shown = browser.overview()
    assert (shown["rows"], shown["has_network"]) == (COUNT, True)
    assert sum(one["rows"] for one in shown["cameras"]) == COUNT
    assert shown["cameras"][0]["camera"] == -1


def test_rows_by_page_and_camera(browser: Browser) -> None:
    first, second = browser.rows(camera=None, skip=0), browser.rows(camera=None, skip=PAGE_ROWS)
    assert [one["row"] for one in first + second] == list(range(1, COUNT + 1))
    assert {one["camera"] for one in browser.rows(camera=2, skip=0)} == {2}
    assert (first[0]["box"], first[3]["box"]) == ((1.0, 2.5, 30.0, 60.0), None)
    assert first[3]["name"] == "bäcker 3.jpg"  # never where it lies


def test_a_row_is_no_match_of_itself(browser: Browser) -> None:
    answer = browser.search_row(5, Choice(count=7))
    assert (answer["query"]["query"], answer["query"]["row"]) == ("row 5", 5)
    assert len(answer["matches"]) == 7
    assert 5 not in [match["row"] for match in answer["matches"]]
    scores = [match["score"] for match in answer["matches"]]
    assert scores == sorted(scores, reverse=True)
    assert {match["camera"] for match in browser.search_row(5, Choice(cameras=(1,)))["matches"]} == {1}
    with pytest.raises(FileNotFoundError, match="the gallery has no row 999"):
        browser.search_row(999, Choice())


def test_an_image_from_elsewhere_and_its_labels(browser: Browser) -> None:
    answer = browser.search_image(png(6), "lost.png", Choice())
    best = answer["matches"][0]
    assert (best["row"], best["label"]) == (7, None)
    assert best["score"] == pytest.approx(1.0)
    query = answer["query"]["query"]
    browser.label(query, "lost.png", 7, "same")
    browser.label("row 7", "whatever the page says", 3, "different")
    again = browser.search_image(png(6), "copy of lost.png", Choice())
    assert again["query"]["query"] == query
    assert [match["label"] for match in again["matches"] if match["label"]] == ["same"]
    table = browser.labels.to_csv()
    assert "lost.png,7,people/bäcker 6.jpg" in table
    assert "row 7,people/bäcker 6.jpg,3,people/bäcker 2.jpg" in table
    with pytest.raises(ValueError, match="a query is a row or an image, got 'me'"):
        browser.label("me", "", 3, "same")


def test_what_is_no_image_is_refused_before_it_is_decoded(browser: Browser) -> None:
    message = r"notes is not an image \(its first bytes are .*\): choose another image"
    with pytest.raises(ValueError, match=message):
        browser.search_image(b"text", "notes", Choice())
    bomb = bytearray(png(1))
    bomb[16:24] = (100_000).to_bytes(4, "big") * 2
    bomb[29:33] = zlib.crc32(bomb[12:29]).to_bytes(4, "big")
    with pytest.raises(ValueError, match="claims far more than"):
        browser.search_image(bytes(bomb), "bomb.png", Choice())


def test_without_a_network(tmp_path: Path) -> None:
    filled(tmp_path / "people.db", 3)
    with Gallery(tmp_path / "people.db", "r") as gallery:
        browser = Browser(gallery, StoredImages(tmp_path), Labels(tmp_path / "l", "anna"), None)
        assert not browser.overview()["has_network"]
        with pytest.raises(ValueError, match="start browse with --weights"):
            browser.search_image(png(1), "a.png", Choice())


def test_the_audit_log_tells_what_was_searched_not_every_image(browser: Browser, tmp_path: Path) -> None:
    browser.rows(camera=None, skip=0)
    for _ in range(3):
        with pytest.raises(FileNotFoundError):
            browser.crop(4)
    browser.search_row(4, Choice())
    log = [json.loads(line) for line in (tmp_path / "people.db.audit.jsonl").read_text().splitlines()]
    assert [line["action"] for line in log] == ["add", "read", "read", "search"]
    assert log[-1]["reason"] == "browse"
