from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest

from reid_gl.report.page import FORMAT, THUMBNAILS_IN_BLOCK, format_report, read_report

NASTY = '</script><script>alert("it\'s")</script><!-- & @DATA@ \udcff'


def test_text_from_files_never_acts_as_markup(tmp_path: Path) -> None:
    page = format_report(NASTY, {"name": NASTY}, [])
    assert page.count("</script>") == 2  # the data's and the program's
    assert page.count("<script") == 2
    assert "<!-- &" not in page
    assert "<title>&lt;/script&gt;&lt;script&gt;alert(&quot;it&#x27;s&quot;)&lt;/script&gt;" in page
    path = tmp_path / "report.html"
    path.write_text(page, encoding="utf-8")
    assert read_report(path)["name"] == NASTY


def test_only_its_own_script_may_run_and_nothing_is_loaded() -> None:
    page = format_report("title", {}, [b"copy"])
    (script,) = re.findall(r"<script>(.*?)</script>", page, flags=re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)[0]
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'; img-src data:;" in policy
    urls = set(re.findall(r"https?://[^\s\"']+", page))
    assert urls == {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert not re.search(r"<link|@import|innerHTML|\beval\(", page)


def test_thumbnails_come_in_blocks_in_order() -> None:
    thumbnails = [bytes([number % 256]) * (number % 5 + 1) for number in range(THUMBNAILS_IN_BLOCK + 3)]
    page = format_report("title", {}, thumbnails)
    blocks = re.findall(r'<script type="text/plain" id="t(\d+)">(.*?)</script>', page)
    assert [int(number) for number, _ in blocks] == [0, 1]
    words = [word for _, block in blocks for word in block.split(" ")]
    assert [base64.b64decode(word) for word in words] == thumbnails


def test_numbers_are_kept_to_the_last_digit(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(format_report("title", {"mAP": 0.1 + 0.2, "none": None}, []))
    assert read_report(path) == {"mAP": 0.1 + 0.2, "none": None, "format": FORMAT, "thumbnails_in_block": 128}
    with pytest.raises(ValueError, match="not JSON compliant"):
        format_report("title", {"mAP": float("nan")}, [])


def test_another_file_is_no_report(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    with pytest.raises(FileNotFoundError, match=r"does not exist: make it with reid-gl report"):
        read_report(path)
    for text in (
        "",
        "<html>",
        '<script type="application/json" id="data">{</script>',
        f'<script type="application/json" id="data">{{"a": {"9" * 5000}}}</script>',
        format_report("", {}, [])[:-900],
    ):
        path.write_text(text.replace(FORMAT, "") if "<!DOCTYPE" in text else text)
        with pytest.raises(ValueError, match=r"is no report: expected|is a report of the form ''"):
            read_report(path)
    text = json.dumps({"format": "reid_gl/report/9"})
    path.write_text(f'<script type="application/json" id="data">{text}</script>')
    with pytest.raises(ValueError, match=r"of the form 'reid_gl/report/9', this version reads"):
        read_report(path)


def test_what_is_no_file_is_no_report(tmp_path: Path) -> None:
    (tmp_path / "page.html").symlink_to("/dev/zero")
    with pytest.raises(FileNotFoundError, match=r"page\.html is not a file but a device: make it with"):
        read_report(tmp_path / "page.html")
