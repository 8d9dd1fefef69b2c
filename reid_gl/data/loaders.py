"""Pictures in batches, read and augmented by worker processes where asked."""

from __future__ import annotations

import atexit
import functools
import signal
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from reid_gl.data.images import UnreadableImageError, check_image, crop_box, read_image
from reid_gl.data.sampler import BatchKey
from reid_gl.data.transforms import Augmentation, Preprocessing
from reid_gl.records import Batch, Sample


class ImageBatches(Dataset[Batch]):
    """Whole batches by their key; a key always gives the same batch.

    Each picture's random changes are drawn from the seed, the epoch and the picture's place in the
    epoch, never from a state, so that neither workers nor an interruption alter them.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        labels: Sequence[int],
        *,
        preprocessing: Preprocessing,
        augmentation: Augmentation | None = None,
        seed: int = 0,
    ) -> None:
        if len(samples) != len(labels):
            raise ValueError(f"{len(samples)} samples and {len(labels)} labels: expected as many")
        self.samples, self.labels = samples, labels
        self.preprocessing, self.augmentation, self.seed = preprocessing, augmentation, seed

    def __getitem__(self, key: BatchKey) -> Batch:
        size = (len(key.indices), self.preprocessing.height, self.preprocessing.width, 3)
        images = np.empty(size, dtype=np.uint8)
        for place, index in enumerate(key.indices):
            images[place] = self._read(self.samples[index], key, place)
        return Batch(
            images=torch.from_numpy(images).permute(0, 3, 1, 2),
            labels=torch.tensor([self.labels[i] for i in key.indices]),
            camids=torch.tensor([self.samples[i].camid for i in key.indices]),
        )

    def _read(self, sample: Sample, key: BatchKey, place: int) -> np.ndarray:
        image = read_image(sample.path)
        if sample.box is not None:
            image = crop_box(image, sample.box, name=sample.path)
        image = self.preprocessing.resize(image)
        if self.augmentation is None:
            return image
        rng = np.random.default_rng((self.seed, key.epoch, key.step, place))
        return self.augmentation(image, rng)


class BatchLoader:
    """Iterates the batches of a sampler's keys; errors of workers come out as they were raised."""

    def __init__(
        self,
        batches: ImageBatches,
        keys: Sampler[BatchKey] | Sequence[BatchKey],
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
    ) -> None:
        self._loader = DataLoader(
            batches,
            sampler=keys,
            batch_size=None,
            num_workers=num_workers,
            worker_init_fn=_prepare_worker,
            persistent_workers=num_workers > 0,
            pin_memory=pin_memory,
            generator=torch.Generator(),  # else every iteration would draw from torch's global state
        )
        if num_workers:
            _loaders_with_workers().add(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        try:
            yield from self._loader
        except (UnreadableImageError, FileNotFoundError) as error:
            # a worker's error carries its traceback as text; its last line is the sentence for the user
            message = str(error).strip().splitlines()[-1]
            _end_workers(self._loader)
            raise type(error)(message.removeprefix(f"{_qualified_name(error)}: ")) from None


def consecutive_keys(num_samples: int, batch_size: int) -> list[BatchKey]:
    """Keys that go through all samples in order, the last batch as small as need be."""
    starts = range(0, num_samples, batch_size)
    return [
        BatchKey(0, step, tuple(range(start, min(start + batch_size, num_samples))))
        for step, start in enumerate(starts)
    ]


def make_label_map(samples: Sequence[Sample]) -> dict[int, int]:
    """Identity to label 0..C-1, in ascending order of identity: the same on every machine."""
    return {pid: label for label, pid in enumerate(sorted({sample.pid for sample in samples}))}


def check_images(samples: Sequence[Sample], *, num_threads: int = 4) -> None:
    """Open every file's header before hours of work depend on it.

    Raises:
        UnreadableImageError: some files are missing or are no whole pictures; names the first five.
    """
    paths = sorted({sample.path for sample in samples})
    with ThreadPoolExecutor(num_threads) as pool:
        problems = [problem for problem in pool.map(check_image, paths) if problem]
    if problems:
        more = f" (and {len(problems) - 5} more)" if len(problems) > 5 else ""
        raise UnreadableImageError(
            f"{len(problems)} of {len(paths)} images cannot be read: {'; '.join(problems[:5])}{more}"
        )


def _prepare_worker(worker: int) -> None:
    """Workers leave threads to the trainer, and signals too: it stops them when its step is done."""
    cv2.setNumThreads(0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


@functools.cache
def _loaders_with_workers() -> weakref.WeakSet[DataLoader[Batch]]:
    """Loaders whose workers end with the program: Python's own way is SIGTERM, which they ignore."""
    loaders: weakref.WeakSet[DataLoader[Batch]] = weakref.WeakSet()

    def end_all() -> None:
        for loader in list(loaders):
            _end_workers(loader)

    atexit.register(end_all)
    return loaders


def _end_workers(loader: DataLoader[Batch]) -> None:
    """Tell the workers to go; torch has no public way, and leaves it to the garbage collector."""
    iterator: Any = loader._iterator
    if iterator is not None:
        iterator._shutdown_workers()
        loader._iterator = None


def _qualified_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
