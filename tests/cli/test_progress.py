from __future__ import annotations

import logging

import pytest
from tqdm import tqdm

from reid_gl.cli import progress
from reid_gl.cli.progress import BarFriendlyHandler


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


def test_a_message_stands_on_a_line_of_its_own_above_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("reid_gl.progress")
    handler = BarFriendlyHandler()
    handler.setFormatter(logging.Formatter("%(levelname).1s %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        with tqdm(total=4, desc="baking", mininterval=0, leave=True) as bar:
            bar.update(1)
            logger.info("half of %d", 4)
            bar.update(3)
    finally:
        logger.removeHandler(handler)
    answer = capsys.readouterr()
    assert answer.out == ""
    lines = [line.rpartition("\r")[2] for line in answer.err.split("\n")]
    assert lines[0].strip() == "I half of 4"
    assert lines[1].startswith("baking: 100%")


def test_a_name_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    name = "a\x1b[2J\r\x9bä\udcff.jpg\n"
    record = logging.LogRecord("reid_gl", logging.ERROR, "", 0, "%s is broken,\t時", (name,), None)
    BarFriendlyHandler().emit(record)
    assert capsys.readouterr().err.endswith("a\\x1b[2J\\r\\x9bä\\udcff.jpg\n is broken,\t時\n")
