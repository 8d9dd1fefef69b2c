from __future__ import annotations

from pathlib import Path

import numba
import pytest

from reid_gl.evaluation import compiled as module
from reid_gl.evaluation.compiled import compiled


def test_without_a_place_for_the_cache_functions_are_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = []

    def refuse_cache(**options: bool) -> object:
        asked.append(options)
        if options.get("cache"):
            return _raise
        return numba.njit(**options)

    def _raise(function: object) -> object:
        raise RuntimeError(f"cannot cache function {function}: no locator available")

    monkeypatch.setattr(module, "njit", refuse_cache)

    @compiled()
    def double(number: int) -> int:
        return 2 * number

    assert double(21) == 42
    assert [options.get("cache", False) for options in asked] == [True, False]


def test_every_kernel_is_compiled_this_way() -> None:
    package = Path(module.__file__).parent
    assert [path.name for path in sorted(package.glob("*.py")) if "@njit" in path.read_text()] == []
