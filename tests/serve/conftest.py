from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from reid_gl.data.loading.images import Image8
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.inference.extractor.feature_extractor import FeatureExtractor


class MeanColor:
    """A network that computes the mean colour, counts its calls, and waits while its gate is closed."""

    preprocessing = Preprocessing(8, 4)
    embedding_dim = 3
    device = "cpu"

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)

    def __call__(self, images: Image8) -> np.ndarray:
        self.sizes.append(len(images))
        self.entered.release()
        assert self.gate.wait(30)
        means: np.ndarray = images.mean(axis=(1, 2)).astype(np.float32)
        return means


@pytest.fixture
def network() -> Iterator[MeanColor]:
    network = MeanColor()
    yield network
    network.gate.set()


@pytest.fixture
def extractor(network: MeanColor) -> FeatureExtractor:
    return FeatureExtractor(network, color_order="rgb")


@pytest.fixture
def gallery(tmp_path: Path) -> Path:
    return tmp_path / "people.db"
