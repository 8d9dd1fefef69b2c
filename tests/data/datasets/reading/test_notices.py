from __future__ import annotations

import logging

import pytest

from reid_gl.data.datasets.reading.notices import warn_once


def test_says_each_thing_once(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("reid_gl.test")
    for message in ("100% of it", "another", "100% of it"):
        warn_once(logger, message)
    assert [record.getMessage() for record in caplog.records] == ["100% of it", "another"]
    assert {record.levelname for record in caplog.records} == {"WARNING"}
