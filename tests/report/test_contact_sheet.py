from __future__ import annotations

import base64
from html.parser import HTMLParser

import cv2
import numpy as np
import pytest

from reid_gl.report.contact_sheet import (
    SheetImage,
    SheetRow,
    SheetSection,
    encode_thumbnail,
    format_contact_sheet,
)

NASTY = "<script>alert(1)</script> & \"quotes\" 'too' \udcff ü"
SHOWN = NASTY.replace("\udcff", "\\udcff")
VOID = {"meta", "img"}


class Page(HTMLParser):
    """Keeps what a browser would see, and refuses tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def decode(source: str | None) -> np.ndarray:
    assert source is not None
    assert source.startswith("data:image/jpeg;base64,")
    data = base64.b64decode(source.partition(",")[2], validate=True)
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def test_the_page_parses_and_its_images_decode() -> None:
    red = np.zeros((40, 20, 3), dtype=np.uint8)
    red[..., 0] = 200
    images = (SheetImage(encode_thumbnail(red), "camera 0"), SheetImage(b"", "broken"))
    sections = [
        SheetSection("Faults", ("one", "two")),
        SheetSection("People", (), (SheetRow("7", images),)),
    ]
    page = Page(format_contact_sheet("My set", "a  b\n1  2", sections))
    assert [tag for tag in page.tags if tag in ("h1", "h2", "h3", "p", "figure", "img")] == [
        *("h1", "h2", "p", "p", "h2", "h3", "figure", "img", "figure")
    ]
    assert "a  b\n1  2" in page.texts
    (image,) = page.images
    assert image["alt"] == "camera 0"
    pixels = decode(image["src"])
    assert pixels.shape == (40, 20, 3)
    assert np.abs(pixels.astype(int) - red).max() < 10


def test_names_are_text_whatever_they_hold() -> None:
    row = SheetRow(NASTY, (SheetImage(encode_thumbnail(np.zeros((4, 4, 3), np.uint8)), NASTY),))
    text = format_contact_sheet(NASTY, NASTY, [SheetSection(NASTY, (NASTY,), (row,))])
    assert "<script" not in text
    text.encode("utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert page.texts.count(SHOWN) == 7  # title, h1, table, h2, p, h3, caption
    assert page.images[0]["alt"] == SHOWN


def test_nothing_is_fetched_or_run() -> None:
    text = format_contact_sheet("set", "", [])
    assert "default-src 'none'; img-src data:" in text
    assert "http:" not in text
    assert "https:" not in text
    assert "<script" not in text


@pytest.mark.parametrize(
    ("size", "expected"),
    [((128, 64), (112, 56)), ((30, 20), (30, 20)), ((4000, 3), (112, 1)), ((1, 1), (1, 1))],
)
def test_thumbnails_are_small_and_never_enlarged(size: tuple[int, int], expected: tuple[int, int]) -> None:
    data = encode_thumbnail(np.zeros((*size, 3), dtype=np.uint8))
    assert cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR).shape[:2] == expected
