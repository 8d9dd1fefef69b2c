"""The page in a real browser, where playwright and chromium are installed; they are no dependencies."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reid_gl.gallery.browse.server import BrowseServer
from tests.browser import TEXT_TOO_FAINT, TIMEOUT, needs_browser, open_browser
from tests.gallery.browse.test_server import png, server  # noqa: F401 - a fixture

pytestmark = needs_browser


@pytest.fixture
def page(server: BrowseServer) -> Iterator[Any]:  # noqa: F811
    """The page as the printed address opens it; at the end, nothing may have gone wrong in it."""
    complaints: list[str] = []
    with open_browser() as browser:
        page = browser.new_page()
        page.set_default_timeout(TIMEOUT)
        page.on("console", lambda line: complaints.append(line.text) if line.type != "log" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(server.address)
        page.wait_for_selector("#rows .card img")
        yield page
    assert complaints == []


def wait_until(page: Any, condition: str) -> None:
    """The page's policy forbids wait_for_function, which evaluates text in the page."""
    deadline = time.monotonic() + 60
    while not page.evaluate(condition):
        assert time.monotonic() < deadline, condition
        time.sleep(0.05)


def test_from_a_click_to_an_exported_label(page: Any, server: BrowseServer) -> None:  # noqa: F811
    assert page.url == f"http://127.0.0.1:{server.server_port}/"
    assert page.inner_text("#overview") == "4 rows, 2 cameras, 0 identities"
    page.select_option("#camera", "0")
    wait_until(page, "document.querySelectorAll('#rows .card').length === 2")
    page.locator("#rows .card > button:first-child").nth(1).click()
    page.wait_for_selector("#matches .card")
    assert page.locator("#matches .card").count() == 3
    assert page.locator("#timeline .line").count() == 2
    assert page.evaluate(TEXT_TOO_FAINT) == []
    wait_until(page, "[...document.querySelectorAll('#timeline img')].every(one => one.naturalWidth > 0)")
    page.locator("#matches .marks button").first.click()
    page.wait_for_selector("#matches .card.same")
    page.locator("#timeline button").first.click()
    assert page.locator(".card.found").count() == 1
    with page.expect_download() as download:
        page.click("text=Export the labels")
    assert "row 4,4.png,1,1.png" in Path(download.value.path()).read_text()


def test_a_box_in_an_image_from_elsewhere(page: Any) -> None:
    page.set_input_files("#file", {"name": "lost.png", "mimeType": "image/png", "buffer": png((20, 20, 200))})
    wait_until(page, "document.getElementById('summary').textContent.includes('lost.png')")
    page.wait_for_selector("#frame canvas")
    page.locator("#canvas").scroll_into_view_if_needed()
    box = page.locator("#canvas").bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + 12, box["y"] + 30, steps=3)
    page.mouse.up()
    wait_until(page, "document.getElementById('summary').textContent.includes('lost.png [2, 4, 12, 30]')")
    assert page.locator("#matches .card").first.get_attribute("id") == "match-3"


def test_a_box_without_a_mouse(page: Any) -> None:
    page.set_input_files("#file", {"name": "lost.png", "mimeType": "image/png", "buffer": png((20, 20, 200))})
    page.wait_for_selector("#frame canvas")
    page.locator("#canvas").focus()
    for key in ("ArrowLeft", "ArrowDown", "Shift+ArrowRight", "Shift+ArrowDown"):
        page.keyboard.press(key)
    for _ in range(20):
        page.keyboard.press("ArrowLeft")  # the image ends there
    page.keyboard.press("Enter")
    wait_until(page, "document.getElementById('summary').textContent.includes('lost.png [')")
    assert "lost.png [0, 11, 5, 32]" in page.inner_text("#summary")
