"""Log messages and progress bars on the same terminal."""

from __future__ import annotations

import logging
import sys

from tqdm import tqdm


class BarFriendlyHandler(logging.Handler):
    """Log handler that writes to stderr without breaking an active progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        tqdm.write(self.format(record), file=sys.stderr)
