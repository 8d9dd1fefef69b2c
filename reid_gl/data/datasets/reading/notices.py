"""Warnings that are logged once, not with every call."""

from __future__ import annotations

import logging
from functools import cache


@cache
def warn_once(logger: logging.Logger, message: str) -> None:
    """Log a warning unless this process has logged the same one.

    Args:
        logger: where to log it.
        message: the whole text.
    """
    logger.warning("%s", message)
