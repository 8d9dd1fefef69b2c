from __future__ import annotations

import asyncio
import threading
import time

import pytest

from reid_gl.serve.lane import Lane
from reid_gl.serve.refusals import BusyError


def soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def test_results_and_errors_come_back() -> None:
    lane = Lane("the test", threads=1, most=2)

    async def work() -> None:
        assert await lane.run(threading.get_ident, soon()) != threading.get_ident()
        with pytest.raises(ZeroDivisionError):
            await lane.run(lambda: 1 // 0, soon())

    asyncio.run(work())
    lane.close()


def test_a_full_queue_refuses_at_once_and_a_late_call_never_starts() -> None:
    lane = Lane("the test", threads=1, most=2)
    gate, done = threading.Event(), []

    async def work() -> None:
        first = asyncio.create_task(lane.run(gate.wait, soon(0.05)))
        late = asyncio.create_task(lane.run(lambda: done.append("late"), soon(0.05)))
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="2 requests wait for the test already"):
            await lane.run(lambda: done.append("third"), soon())
        with pytest.raises(BusyError, match="waited too long for the test"):
            await late
        assert not first.done()  # it has started, so it is waited for beyond its deadline
        gate.set()
        assert await first is True
        await lane.run(lambda: done.append("next"), soon())

    asyncio.run(work())
    lane.close()
    assert done == ["next"]


def test_closing_finishes_what_was_started() -> None:
    lane = Lane("the test", threads=1, most=1)
    done: list[int] = []

    async def work() -> None:
        task = asyncio.create_task(lane.run(lambda: (time.sleep(0.05), done.append(1)), soon()))
        await asyncio.sleep(0.01)
        lane.close()
        assert done == [1]
        await task

    asyncio.run(work())
