from __future__ import annotations

import logging

import pytest
from tqdm import tqdm

from reid_gl.cli.progress import BarFriendlyHandler


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
