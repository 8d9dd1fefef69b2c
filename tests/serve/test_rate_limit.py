from __future__ import annotations

import pytest

from reid_gl.serve import rate_limit
from reid_gl.serve.rate_limit import RateLimit


def test_a_burst_of_one_second_then_the_rate() -> None:
    now = 100.0
    limit = RateLimit(4.0, lambda: now)
    assert [limit.take("a") for _ in range(4)] == [0, 0, 0, 0]
    assert limit.take("a") == pytest.approx(0.25)
    assert limit.take("b") == 0  # each client has its own
    now += 0.25
    assert limit.take("a") == 0
    assert limit.take("a") > 0
    now += 3_600
    assert [limit.take("a") > 0 for _ in range(5)] == [False] * 4 + [True]  # permits do not pile up


def test_less_than_one_per_second() -> None:
    now = 0.0
    limit = RateLimit(0.1, lambda: now)
    assert limit.take("a") == 0
    assert limit.take("a") == pytest.approx(10.0)


def test_clients_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limit, "MOST_CLIENTS", 2)
    limit = RateLimit(1.0, lambda: 0.0)
    for client in ("a", "b", "a", "c"):
        limit.take(client)
    assert limit.take("a") > 0
    assert limit.take("b") == 0  # not seen for the longest time
