from __future__ import annotations

import pytest

from reid_gl.serve.limits import Limits


def test_limits_are_positive() -> None:
    assert Limits(boxes=1).boxes == 1
    with pytest.raises(ValueError, match="the limit of boxes must be greater than 0, got 0"):
        Limits(boxes=0)
    with pytest.raises(ValueError, match="the limit of rate must be greater than 0, got nan"):
        Limits(rate=float("nan"))
