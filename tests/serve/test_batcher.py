from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence

import pytest

from reid_gl.serve.batcher import Batcher
from reid_gl.serve.refusals import BusyError


class Doubler:
    """Doubles numbers, notes its batches, and waits while its gate is closed."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def __call__(self, items: Sequence[int]) -> Iterator[tuple[int, int | Exception]]:
        self.batches.append(list(items))
        self.entered.release()
        assert self.gate.wait(30)
        for place in reversed(range(len(items))):  # in any order
            if items[place] == 13:
                yield place, ValueError("13 is unlucky")
            elif items[place] == 99:
                raise MemoryError("too many")
            else:
                yield place, 2 * items[place]


def soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def batcher_of(work: Doubler, most: int = 100) -> Batcher[int, int]:
    return Batcher("the test", "things", work, batch_size=8, most=most)


async def entered(work: Doubler) -> None:
    assert await asyncio.to_thread(work.entered.acquire, timeout=30)


def test_what_gathers_during_a_batch_is_the_next_one() -> None:
    work = Doubler()
    batcher = batcher_of(work)
    sizes = [3, 2, 1, 4, 20, 1, 1]

    async def run() -> list[int]:
        work.gate.clear()
        first = asyncio.create_task(batcher.run(0, 1, soon()))
        await entered(work)
        others = [asyncio.create_task(batcher.run(item, size, soon())) for item, size in enumerate(sizes, 1)]
        await asyncio.sleep(0)
        assert batcher.size_waiting == sum(sizes)
        work.gate.set()
        await first
        return await asyncio.gather(*others)

    assert asyncio.run(run()) == [2, 4, 6, 8, 10, 12, 14]
    batcher.close()
    # 3 + 2 + 1 fit into eight, 4 waits for the next, 20 is more than a batch and stands alone
    assert work.batches == [[0], [1, 2, 3], [4], [5], [6, 7]]
    assert batcher.size_waiting == 0


def test_a_full_queue_and_a_late_request() -> None:
    work = Doubler()
    batcher = batcher_of(work, most=4)

    async def run() -> None:
        work.gate.clear()
        first = asyncio.create_task(batcher.run(1, 1, soon()))
        await entered(work)
        large = asyncio.create_task(batcher.run(2, 9, soon(0.05)))  # the only one that waits
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="9 things wait for the test already"):
            await batcher.run(3, 1, soon())
        with pytest.raises(BusyError, match="waited too long for the test"):
            await large
        work.gate.set()
        await first
        await batcher.run(4, 2, soon())

    asyncio.run(run())
    batcher.close()
    assert work.batches == [[1], [4]]  # the late one was never begun


def test_an_error_of_one_item_or_of_a_batch_does_not_end_the_thread() -> None:
    work = Doubler()
    batcher = batcher_of(work)

    async def run() -> list[int | BaseException]:
        work.gate.clear()
        first = asyncio.create_task(batcher.run(1, 1, soon()))
        await entered(work)
        others = [asyncio.create_task(batcher.run(item, 4, soon())) for item in (13, 5, 6, 99)]
        await asyncio.sleep(0)
        work.gate.set()
        return await asyncio.gather(first, *others, return_exceptions=True)

    one, unlucky, five, six, many = asyncio.run(run())
    assert (one, five) == (2, 10)
    assert [str(unlucky), str(six), str(many)] == ["13 is unlucky", "too many", "too many"]
    assert asyncio.run(batcher.run(7, 1, soon())) == 14
    batcher.close()
    assert work.batches == [[1], [13, 5], [6, 99], [7]]
