"""Limits of the service, each with its default."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Limits:
    """How much a client may ask for, and how much the service does at once.

    Attributes:
        body: bytes of a request's body.
        boxes: boxes of one image, and vectors of one addition.
        matches: rows of one answer.
        requests: requests in progress at once; more are refused.
        images: resized images that wait for the network at once; more are refused.
        rate: requests per second of each token and address; a burst may be one second's worth.
        seconds: how long a request may take to arrive and to wait for its turn.
    """

    body: int = 8_000_000
    boxes: int = 256
    matches: int = 1_000
    requests: int = 128
    images: int = 1_024
    rate: float = 100.0
    seconds: float = 30.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if not value > 0:
                raise ValueError(f"the limit of {field.name} must be greater than 0, got {value}")
