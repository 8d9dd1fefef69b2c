"""Numba compilation that falls back to no disk cache where none can be written."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from numba import njit

from reid_gl.evaluation.forked import check_not_forked

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(*, parallel: bool = False, fastmath: bool = False) -> Callable[[Function], Function]:
    """Decorator: compile with numba's njit, cached beside the file or in the user's cache folder.

    With cache=True, numba raises at import if it can write to neither folder (in a read-only container, for
    example). The function is then compiled without a cache, once per process.
    """

    def decorate(function: Function) -> Function:
        without_python: Any = njit(parallel=parallel, fastmath=fastmath, cache=True)
        try:
            result: Function = without_python(function)
        except RuntimeError:
            without_python = njit(parallel=parallel, fastmath=fastmath)
            result = without_python(function)
        return _with_check(result) if parallel else result

    return decorate


def _with_check(function: Function) -> Function:
    """Wrap a parallel function to raise in a forked process, which has lost its threads.

    The wrapped function can be called from Python only, not from another compiled function.
    """

    @wraps(function)
    def checked(*arguments: Any) -> Any:  # noqa: ANN401
        check_not_forked()
        return function(*arguments)

    return cast("Function", checked)
