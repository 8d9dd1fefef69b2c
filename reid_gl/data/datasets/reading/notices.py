"""Log warnings once, not with every call."""

from __future__ import annotations

import logging
from functools import cache


@cache
def warn_once(logger: logging.Logger, message: str) -> None:
    """Log a warning unless this process has logged the same one.

    Args:
        logger: logger of the warning.
        message: the complete text.
    """
    logger.warning("%s", message)
