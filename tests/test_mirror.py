"""Every module has a test file of its name, so that its tests are found without a search."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = {
    path.relative_to(ROOT / "reid_gl").with_suffix("").as_posix()
    for path in (ROOT / "reid_gl").rglob("*.py")
    if path.name != "__init__.py"
}
TESTS = {
    (path.parent.relative_to(ROOT / "tests") / path.stem.removeprefix("test_")).as_posix()
    for path in (ROOT / "tests").rglob("test_*.py")
}
UNTESTED = {
    "config/build": "split",
    "synthetic/cameras": "constants",
}
"""Modules without a test file of their name, each with the reason."""
WHOLE = {
}
"""Test files without a module of their name, each with what they test."""


def test_every_module_has_a_test_file_of_its_name() -> None:
    assert sorted(MODULES - TESTS - set(UNTESTED)) == []


def test_every_test_file_has_a_module_of_its_name() -> None:
    assert sorted(TESTS - MODULES - set(WHOLE)) == []


def test_no_exception_is_out_of_date() -> None:
    assert sorted(set(UNTESTED) - (MODULES - TESTS)) == []
    assert sorted(set(WHOLE) - (TESTS - MODULES)) == []


@pytest.mark.parametrize("exceptions", [UNTESTED, WHOLE])
def test_every_exception_says_why(exceptions: dict[str, str]) -> None:
    assert all(exceptions.values())
