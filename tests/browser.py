"""The system's Chromium, driven by playwright. Neither is a dependency: without them, tests skip."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

HOW = "no browser tested: make browser installs playwright and runs these tests with the system's chromium"
playwright = pytest.importorskip("playwright.sync_api", reason=HOW)
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
needs_browser = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=HOW)]


@contextmanager
def open_browser() -> Iterator[Any]:
    with playwright.sync_playwright() as program:
        browser = program.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()
