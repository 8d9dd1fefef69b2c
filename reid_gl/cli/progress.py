"""Progress bars, and log messages on the same terminal."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tqdm import tqdm

CONTROL = re.compile(r"[^\n\t\x20-\x7e\xa0-\ud7ff\ue000-\U0010ffff]")
"""Characters that a terminal obeys, or that have no form in UTF-8."""


class BarFriendlyHandler(logging.Handler):
    """Log handler that writes to stderr without breaking an active progress bar.

    Characters that would control the terminal are shown by their numbers: names of files can contain them.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        text = CONTROL.sub(lambda found: ascii(found[0])[1:-1], self.format(record))
        tqdm.write(text, file=sys.stderr)


@contextmanager
def progress_bar(*, unit: str, description: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar, and give the function (done, total) that moves it; it closes when all is done."""
    with tqdm(unit=unit, desc=description, disable=None) as bar:

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)
            if done == total:  # what follows may log or draw a bar of its own
                bar.close()

        yield show
