from __future__ import annotations

import asyncio
import time

import numpy as np
import pytest

from reid_gl.data.loading.images import Image8
from reid_gl.serve.batcher import Batcher
from reid_gl.serve.refusals import BusyError
from tests.serve.conftest import MeanColor


def images(count: int, seed: int = 0) -> Image8:
    return np.random.default_rng(seed).integers(0, 256, (count, 8, 4, 3), dtype=np.uint8)


def soon(seconds: float = 30.0) -> float:
    return time.monotonic() + seconds


def batcher_of(network: MeanColor, **settings: int) -> tuple[Batcher, list[int]]:
    sizes: list[int] = []
    settings = {"batch_size": 8, "most_images": 100, **settings}
    return Batcher(network, on_batch=sizes.append, **settings), sizes


async def entered(network: MeanColor) -> None:
    assert await asyncio.to_thread(network.entered.acquire, timeout=30)


def test_what_gathers_while_the_network_is_busy_is_one_batch(network: MeanColor) -> None:
    batcher, sizes = batcher_of(network)
    counts = [3, 2, 1, 4, 20, 1, 1]

    async def work() -> list[np.ndarray]:
        network.gate.clear()
        first = asyncio.create_task(batcher.features(images(1), soon()))
        await entered(network)
        parts = [images(count, seed) for seed, count in enumerate(counts)]
        others = [asyncio.create_task(batcher.features(part, soon())) for part in parts]
        await asyncio.sleep(0)
        assert batcher.num_images == sum(counts)
        network.gate.set()
        await first
        return await asyncio.gather(*others)

    features = asyncio.run(work())
    batcher.close()
    # 3 + 2 + 1 fit into eight, 4 waits for the next, 20 is more than a batch and stands alone
    assert network.sizes == sizes == [1, 6, 4, 20, 2]
    for seed, (count, found) in enumerate(zip(counts, features, strict=True)):
        np.testing.assert_array_equal(found, images(count, seed).mean(axis=(1, 2)).astype(np.float32))
    assert batcher.num_images == 0


def test_a_full_queue_and_a_late_request(network: MeanColor) -> None:
    batcher, _ = batcher_of(network, most_images=4)

    async def work() -> None:
        network.gate.clear()
        first = asyncio.create_task(batcher.features(images(1), soon()))
        await entered(network)
        large = asyncio.create_task(batcher.features(images(9), soon(0.05)))  # the only one that waits
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match="9 images wait for the network already"):
            await batcher.features(images(1), soon())
        with pytest.raises(BusyError, match="waited too long for the network"):
            await large
        network.gate.set()
        await first
        await batcher.features(images(2), soon())

    asyncio.run(work())
    batcher.close()
    assert network.sizes == [1, 2]  # the late one was never computed


def test_an_error_ends_its_batch_and_not_the_thread() -> None:
    def embed(pixels: Image8) -> np.ndarray:
        if pixels.max() == 0:
            raise MemoryError("too many")
        return pixels.mean(axis=(1, 2))

    batcher = Batcher(embed, batch_size=8, most_images=8, on_batch=lambda size: None)

    async def work() -> None:
        with pytest.raises(MemoryError, match="too many"):
            await batcher.features(np.zeros((1, 8, 4, 3), np.uint8), soon())
        assert (await batcher.features(images(1), soon())).shape == (1, 3)

    asyncio.run(work())
    batcher.close()
