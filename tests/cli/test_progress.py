from __future__ import annotations

import pytest

from reid_gl.cli import progress


class Bar:
    """What progress_bar uses of tqdm."""

    def __init__(self, **settings: object) -> None:
        self.settings, self.n, self.total, self.is_closed = settings, 0, 0, False

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def update(self, number: int) -> None:
        self.n += number

    def close(self) -> None:
        self.is_closed = True


def test_a_bar_shows_what_is_done_and_closes_when_all_is(monkeypatch: pytest.MonkeyPatch) -> None:
    bars: list[Bar] = []

    def make(**settings: object) -> Bar:
        bars.append(Bar(**settings))
        return bars[0]

    monkeypatch.setattr(progress, "tqdm", make)
    with progress.progress_bar(unit="image", description="reading") as show:
        show(2, 5)
        show(4, 5)
        assert (bars[0].n, bars[0].total, bars[0].is_closed) == (4, 5, False)
        show(5, 5)
        assert (bars[0].n, bars[0].is_closed) == (5, True)
    assert bars[0].settings == {"unit": "image", "desc": "reading", "disable": None}
