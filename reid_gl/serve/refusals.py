"""Refusals: an HTTP status and one sentence for the client."""

from __future__ import annotations


class RefusedError(Exception):
    """A request that is not served.

    Args:
        status: HTTP status.
        sentence: what was expected, what came, and what to do.
        headers: further headers of the answer.
    """

    def __init__(self, status: int, sentence: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.headers = status, sentence, headers or {}


class BusyError(RefusedError):
    """The service has too much to do: status 503; the client should try again later."""

    def __init__(self, sentence: str) -> None:
        super().__init__(503, sentence, {"retry-after": "1"})
