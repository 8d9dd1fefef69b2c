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
TIMEOUT = 180_000.0
"""Milliseconds; enough for a machine with much other work."""
needs_browser = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason=HOW)]


@contextmanager
def open_browser() -> Iterator[Any]:
    with playwright.sync_playwright() as program:
        browser = program.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


TEXT_TOO_FAINT = """() => {
  const parse = text => {
    const numbers = text.match(/[\\d.]+(e-?\\d+)?/g).map(Number), scale = text.startsWith("color(") ? 1 : 255;
    return [...numbers.slice(0, 3).map(value => value / scale), numbers[3] ?? 1];
  };
  const over = (top, below) => [0, 1, 2].map(i => top[i] * top[3] + below[i] * (1 - top[3]));
  const ancestors = node => node ? [...ancestors(node.parentElement), node] : [];
  const behind = node => ancestors(node)
    .reduce((below, one) => over(parse(getComputedStyle(one).backgroundColor), below), [1, 1, 1]);
  const luminance = color => color
    .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)
    .reduce((total, value, i) => total + [0.2126, 0.7152, 0.0722][i] * value, 0);
  const contrast = (one, other) => {
    const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (light + 0.05) / (dark + 0.05);
  };
  const faint = [];
  const check = (node, color, least, what) => {
    const below = behind(node), ratio = contrast(over(parse(color), below), below);
    if (ratio < least) faint.push(`${what}: ${ratio.toFixed(2)}`);
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const node = texts.currentNode.parentElement, text = texts.currentNode.data.trim();
    if (!text || /^(SCRIPT|STYLE|NOSCRIPT)$/.test(node.tagName)) continue;
    if (!node.getClientRects().length || node.closest(":disabled")) continue;
    const style = getComputedStyle(node);
    const size = parseFloat(style.fontSize), isLarge = size >= 24 || size >= 18.66 && style.fontWeight >= 700;
    check(node, node instanceof SVGElement ? style.fill : style.color, isLarge ? 3 : 4.5, text.slice(0, 40));
  }
  for (const node of document.querySelectorAll("select, input, button")) {
    const style = getComputedStyle(node), what = `edge of ${node.id || node.textContent}`;
    if (!node.getClientRects().length || style.borderTopWidth !== "1px") continue;
    check(node.parentElement, style.borderTopColor, 3, what);
  }
  return [...new Set(faint)];
}"""
"""Returns the visible texts, and the edges of controls, with less contrast than WCAG 2.2 AA asks for."""
