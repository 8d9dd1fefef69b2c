"""The page in a real browser, Debian's chromium, from a file and without a network."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reid_gl.experiment.reporting.report import run_report
from reid_gl.report.page import read_report
from tests.browser import TEXT_TOO_FAINT, TIMEOUT, needs_browser, open_browser
from tests.finished_run import write_hard_people, write_run

pytestmark = needs_browser
NASTY = "<img src=x onerror=alert(1)>\"'&"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("browser") / NASTY
    data = write_hard_people(folder / "market1501")
    runs = [
        write_run(folder / name, data, "TEST.FLIP", flip) for name, flip in (("a", "False"), ("b", "True"))
    ]
    run_report(runs, folder / "report.html")
    return folder / "report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with open_browser() as opened:
        yield opened


@pytest.fixture
def page(browser: Any, report: Path) -> Iterator[Any]:
    """The open page; at the end, nothing may have been asked of a network or reported on the console."""
    opened = browser.new_page(viewport={"width": 1400, "height": 900})
    opened.set_default_timeout(TIMEOUT)
    noted: list[str] = []
    opened.on("console", lambda message: noted.append(message.text))
    opened.on("pageerror", lambda error: noted.append(str(error)))
    opened.on("dialog", lambda dialog: noted.append(dialog.message))
    opened.on("request", lambda one: None if one.url[:5] in ("file:", "data:") else noted.append(one.url))
    opened.goto(report.as_uri())
    yield opened
    opened.close()
    assert noted == []


def identities(page: Any) -> list[str]:
    return [words.split()[1] for words in page.locator("article .who b").all_inner_texts()]


def test_the_scores_are_those_of_the_data(page: Any, report: Path) -> None:
    data = read_report(report)
    scores = data["lists"][0]["scores"]
    for name in ("mAP", "rank-1", "rank-5", "mINP"):
        shown = page.locator(f"[data-score='{name}']").inner_text()
        assert shown == f"{100 * scores[name.replace('-', '')]:.1f}"
    first = page.locator("#cards article").first
    worst = min(data["lists"][0]["average_precision"])
    assert f"AP {100 * worst:.1f} %" in first.inner_text()
    titles = page.locator("h2").all_inner_texts()
    assert titles[:4] == ["Summary", "Curves", "Cameras and distances", "Comparison"]
    assert titles[4:] == ["Test-time strategies", "Training", "Map", "Rank lists"]
    assert (
        page.locator("figure svg[role=img]").count() == len(page.locator("figure svg[aria-label]").all()) > 10
    )


def test_text_from_files_is_text(page: Any) -> None:
    assert NASTY in page.locator("#summary").inner_text()
    assert page.locator("img[src=x]").count() == 0


def test_images_are_drawn_and_described(page: Any) -> None:
    are_drawn = "[...document.querySelectorAll('#cards img')].every(one => one.naturalWidth > 0)"
    page.wait_for_function(are_drawn)
    alts = [image.get_attribute("alt") for image in page.locator("#cards article").first.locator("img").all()]
    assert alts[0].startswith("query, identity")
    assert any(alt.startswith("rank 1, ") for alt in alts)
    assert all("identity" in alt for alt in alts)
    signs = set(page.locator(".sign").all_inner_texts())
    assert {words[0] for words in signs} <= {"✓", "✗", "–"}


def test_filters_and_orders(page: Any, report: Path) -> None:
    precision = read_report(report)["lists"][0]["average_precision"]
    order = sorted(range(8), key=lambda row: (precision[row], row))
    assert identities(page) == [str(101 + row) for row in order]
    page.select_option("#order", "best")
    assert identities(page) == [
        str(101 + row) for row in sorted(range(8), key=lambda row: (-precision[row], row))
    ]
    page.fill("#identity", "103, 107")
    assert set(identities(page)) == {"103", "107"}
    assert page.locator("#status").inner_text() == "2 of 8 queries, 2 drawn"
    page.fill("#identity", "999")
    assert page.locator("#status").inner_text() == "No query matches these filters."
    page.fill("#identity", "")
    page.check("#failed")
    failed = sum(first != 1 for first in read_report(report)["lists"][0]["first_match"])
    assert len(identities(page)) == failed > 0
    page.uncheck("#failed")
    second = read_report(report)["lists"][2]["average_precision"]
    for order_of, most_first in (("to:2:gain:0", True), ("to:2:loss:0", False)):
        page.select_option("#order", order_of)
        gains = [second[int(pid) - 101] - precision[int(pid) - 101] for pid in identities(page)]
        assert gains == sorted(gains, reverse=most_first)
        assert gains[0] != gains[-1]


def test_lists_side_by_side_can_be_chosen(page: Any) -> None:
    first = page.locator("#cards article").first
    before = first.locator(".row").count()
    assert before == 3  # the first run before and after re-ranking, and the second as it is tested
    page.locator(".which").nth(3).check()
    assert page.locator("#cards article").first.locator(".row").count() == before + 1


def test_keys_move_between_queries_and_open_an_image(page: Any) -> None:
    number = "[...document.querySelectorAll('.query')].indexOf(document.activeElement)"
    page.keyboard.press("j")
    assert page.evaluate(number) == 0
    page.keyboard.press("j")
    page.keyboard.press("ArrowDown")
    assert page.evaluate(number) == 2
    page.keyboard.press("k")
    assert page.evaluate(number) == 1
    page.keyboard.press("Home")
    assert page.evaluate(number) == 0
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.locator("dialog").inner_text().startswith("query")
    assert page.locator("dialog img").count() == 2
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    page.keyboard.press("/")
    page.keyboard.type("104")
    assert identities(page) == ["104"]


def test_a_click_shows_where_the_similarity_comes_from(page: Any, report: Path) -> None:
    page.locator("#cards article").first.locator(".strip .shot").first.click()
    canvases = page.locator("dialog canvas")
    assert canvases.count() == 2
    pixels = "node.getContext('2d').getImageData(0, 0, node.width, node.height).data"
    drawn = f"node => Math.max(...{pixels}.filter((_, place) => place % 4 === 3))"
    assert [canvas.evaluate(drawn) for canvas in canvases.all()] == [199, 199]  # 0.78 of 255
    for canvas, image in zip(canvases.all(), page.locator("dialog img").all(), strict=True):
        page.wait_for_function("node => node.style.width === '100%'", arg=canvas.element_handle())
        assert canvas.bounding_box() == image.bounding_box()
    first, second = (canvas.get_attribute("aria-label") for canvas in canvases.all())
    assert first.startswith("similarity map of the query: upper third ")
    shares = [int(number) for number in re.findall(r"(\d+) %", second)]
    assert len(shares) == 3
    assert abs(sum(shares) - 100) <= 1
    toggle = page.locator("#heat")
    assert toggle.get_attribute("aria-pressed") == "true"
    page.keyboard.press("m")
    assert toggle.get_attribute("aria-pressed") == "false"
    assert not canvases.first.is_visible()
    page.keyboard.press("Escape")
    page.locator("#cards article").first.locator(".strip .shot").nth(1).click()
    assert not page.locator("dialog canvas").first.is_visible()  # it stays as it was
    page.locator("#heat").click()
    assert page.locator("dialog canvas").first.is_visible()


def test_an_image_without_a_map_says_so(page: Any) -> None:
    page.evaluate("for (const run of data.runs) run.similarity_maps.queries = {}")
    shot = page.locator("#cards article").first.locator(".strip .shot").first
    shot.click()
    assert "No similarity map of this image" in page.locator("dialog").inner_text()
    assert page.locator("dialog canvas, #heat").count() == 0
    page.keyboard.press("m")
    page.keyboard.press("Escape")
    page.evaluate("for (const run of data.runs) run.similarity_maps.note = 'exported networks have none'")
    shot.click()
    assert "exported networks have none" in page.locator("dialog").inner_text()


def test_a_chart_says_its_values_under_the_pointer(page: Any, report: Path) -> None:
    chart = page.locator("#curves figure").first
    chart.locator("svg").first.hover()
    tip = chart.locator(".tip").inner_text().splitlines()
    rank = int(tip[0].removeprefix("rank "))
    value = read_report(report)["lists"][0]["cmc"][rank - 1]
    assert tip[1] == f"a, not re-ranked: {100 * value:.2f}"


def test_the_map_shows_the_image_under_the_pointer(page: Any) -> None:
    figure = page.locator("#map figure").first
    dot = figure.locator("circle").first
    pid = read_pid(page, int(dot.get_attribute("data-place")))
    dot.hover(force=True)
    assert figure.locator(".tip").inner_text().startswith(f"identity {pid}, camera")
    assert figure.locator(".tip img").count() == 1
    large = figure.locator("circle[r='7']").count()
    assert large == 7  # the query and six gallery images


def read_pid(page: Any, place: int) -> int:
    return int(page.evaluate(f"data.images.pids[data.runs[0].map.places[{place}]]"))


def test_charts_and_map_answer_to_the_arrow_keys(page: Any, report: Path) -> None:
    chart = page.locator("#curves figure").first
    chart.locator("svg").first.focus()
    for key, rank in (("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("ArrowLeft", 1), ("Home", 1)):
        page.keyboard.press(key)
        tip = chart.locator(".tip").inner_text().splitlines()
        value = read_report(report)["lists"][0]["cmc"][rank - 1]
        assert tip[:2] == [f"rank {rank}", f"a, not re-ranked: {100 * value:.2f}"]
    page.keyboard.press("Escape")
    assert not chart.locator(".tip").is_visible()
    figure = page.locator("#map figure").first
    figure.locator("svg").focus()
    page.keyboard.press("End")
    assert figure.locator(".tip").inner_text().startswith("identity 108, camera")
    assert figure.locator(".tip").get_attribute("role") == "status"  # is read out
    page.keyboard.press("Tab")
    assert not figure.locator(".tip").is_visible()


def test_text_and_controls_have_enough_contrast(page: Any) -> None:
    assert page.evaluate(TEXT_TOO_FAINT) == []
    page.locator("#cards article").first.locator(".strip .shot").first.click()
    assert page.evaluate(TEXT_TOO_FAINT) == []
    page.evaluate("document.documentElement.style.setProperty('--muted', '#99a')")
    assert page.evaluate(TEXT_TOO_FAINT) != []


def test_labels_of_axes_lie_beside_the_numbers(page: Any) -> None:
    overlaps = """[...document.querySelectorAll("figure svg")].flatMap(root => {
      const texts = [...root.querySelectorAll("text")];
      const label = texts.find(one => one.hasAttribute("transform"));
      if (!label) return [];
      const right = label.getBoundingClientRect().right;
      return texts
        .filter(one => one.getAttribute("text-anchor") === "end" && one.getBoundingClientRect().left < right)
        .map(one => label.textContent + " " + one.textContent);
    })"""
    assert page.evaluate(overlaps) == []
    longer = (
        "document.querySelectorAll('text[text-anchor=end]').forEach(one => { one.textContent = '7.5e-4'; })"
    )
    page.evaluate(longer)
    assert page.evaluate(overlaps) == []


def test_nothing_moves_for_those_who_do_not_want_it(page: Any) -> None:
    behaviour = "getComputedStyle(document.documentElement).scrollBehavior"
    assert page.evaluate(behaviour) == "smooth"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(behaviour) == "auto"


@pytest.mark.parametrize("width", [400, 1400])
def test_nothing_is_wider_than_the_window(page: Any, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_shows_the_lists_and_no_controls(page: Any) -> None:
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert not page.locator(".controls").first.is_visible()
    assert page.locator("#cards article").first.is_visible()
    page.set_viewport_size({"width": 703, "height": 1000})  # A4 without its margins
    boxes = "[...document.querySelectorAll('.card, .scroll')]"
    assert page.evaluate(f"{boxes}.filter(box => box.scrollWidth > box.clientWidth).length") == 0
    assert len(page.pdf()) > 20_000
