"""Compilation that does without a cache on disk where none can be written."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from numba import njit

from reid_gl.evaluation.forked import check_not_forked

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(*, parallel: bool = False, fastmath: bool = False) -> Callable[[Function], Function]:
    """Decorator: numba's njit, kept on disk beside the file or in the user's cache folder.

    Where numba can write to neither (a read-only container, say) it raises at import; the function is then
    compiled anew in each process.
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
    """The same function, which is called from Python only, refusing to run where its threads are lost."""

    @wraps(function)
    def checked(*arguments: Any) -> Any:  # noqa: ANN401
        check_not_forked()
        return function(*arguments)

    return cast("Function", checked)
