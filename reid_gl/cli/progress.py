"""Log lines and progress bars on one terminal."""

from __future__ import annotations

import logging
import sys

from tqdm import tqdm


class BarFriendlyHandler(logging.Handler):
    """Writes to stderr without breaking a progress bar that is being drawn there."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one message."""
        tqdm.write(self.format(record), file=sys.stderr)
