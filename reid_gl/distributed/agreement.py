"""Exchange small values and errors between ranks, as bytes and JSON, so that received data run no code."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray

from reid_gl.distributed.place import OtherRankError, StoppedTogetherError
from reid_gl.distributed.ranks import is_first, is_joined, ranks
from reid_gl.distributed.tensors import largest

T = TypeVar("T")


def gather_bytes(data: bytes) -> list[bytes]:
    """Gather the bytes of every rank, by rank; in a single process, only its own."""
    if not is_joined():
        return [data]
    lengths = [torch.zeros((), dtype=torch.int64) for _ in range(ranks().world_size)]
    dist.all_gather(lengths, torch.tensor(len(data)))
    longest = max(1, *(int(length) for length in lengths))
    rows = [torch.empty(longest, dtype=torch.uint8) for _ in lengths]
    dist.all_gather(rows, _to_tensor(data.ljust(longest, b"\0")))
    return [row[: int(length)].numpy().tobytes() for row, length in zip(rows, lengths, strict=True)]


def own_block(count: int) -> slice:
    """Return this rank's slice of `count` consecutive items; sizes differ by at most one between ranks."""
    place = ranks()
    return slice(*(count * number // place.world_size for number in (place.rank, place.rank + 1)))


def gather_blocks(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """Concatenate the rows (m, D) of all ranks; a rank without rows may give any D."""
    if not is_joined():
        return rows
    width = largest(rows.shape[1])
    blocks = [np.frombuffer(data, dtype=np.float32) for data in gather_bytes(rows.tobytes())]
    return np.concatenate(blocks).reshape(-1, width)


def bytes_of_first(data: bytes) -> bytes:
    """Return the bytes of rank 0; those of other ranks are ignored."""
    if not is_joined():
        return data
    length = torch.tensor(len(data))
    dist.broadcast(length, 0)
    row = _to_tensor(data) if is_first() else torch.empty(int(length), dtype=torch.uint8)
    if len(row):
        dist.broadcast(row, 0)
    return row.numpy().tobytes()


def value_of_first(value: T) -> T:
    """Return rank 0's value, which must be valid JSON; those of other ranks are ignored."""
    if not is_joined():
        return value
    answer: T = json.loads(bytes_of_first(json.dumps(value).encode()))
    return answer


@contextlib.contextmanager
def agreement() -> Iterator[None]:
    """Run a block on every rank; if it raises on any rank, all ranks stop and rank 0 reports one error.

    The block must not communicate. In a single process errors pass through unchanged.

    Raises:
        Exception: on rank 0, its own error.
        OtherRankError: on rank 0, if the block failed on other ranks only.
        StoppedTogetherError: on the other ranks.
    """
    if not is_joined():
        yield
        return
    own: Exception | None = None
    try:
        yield
    except Exception as error:  # raised again below, after all ranks know of it
        own = error
    messages = [text.decode() for text in gather_bytes(b"" if own is None else _describe(own))]
    if not any(messages):
        return
    if not is_first():
        raise StoppedTogetherError("rank 0 reports the error") from own
    if own is not None:
        raise own
    failed = [rank for rank, message in enumerate(messages) if message]
    raise OtherRankError(f"rank {failed[0]}: {messages[failed[0]]}")


def on_first(make: Callable[[], T]) -> T:
    """Call a function on rank 0 only, and return its result, which must be valid JSON, on every rank."""
    value: Any = None
    with agreement():
        if is_first():
            value = make()
    answer: T = value_of_first(value)
    return answer


def first_on_each_host(make: Callable[[], T]) -> T:
    """Call a function on one rank of each host, then on the others, which find the files of the first."""
    value: Any = None
    for turn in (True, False):
        with agreement():
            if (ranks().local_rank == 0) == turn:
                value = make()
    result: T = value
    return result


def _describe(error: Exception) -> bytes:
    return (str(error) or type(error).__name__).encode()


def _to_tensor(data: bytes) -> torch.Tensor:
    return torch.frombuffer(bytearray(data), dtype=torch.uint8) if data else torch.empty(0, dtype=torch.uint8)
