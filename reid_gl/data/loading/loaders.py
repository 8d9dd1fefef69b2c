"""Batches of images, optionally read and augmented by worker processes."""

from __future__ import annotations

import atexit
import functools
import multiprocessing
import signal
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, Sampler

from reid_gl.data.loading.augmentation import Augmentation
from reid_gl.data.loading.cache_format import CacheForm, read_sample
from reid_gl.data.loading.decoded_cache import DecodedCache
from reid_gl.data.loading.images import Image8, UnreadableImageError, check_image
from reid_gl.data.loading.random_changes import Changes
from reid_gl.data.loading.sampler import WHOLE, BatchKey, Part
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.process_signals import NUMBERS, signals_held
from reid_gl.records import Batch, Sample


class ImageBatches(Dataset[Batch]):
    """Data set of batches, or of one part of each, indexed by batch keys; a key always gives the same images.

    The random changes of an image depend only on the seed, the epoch, the step and the position in the
    batch. No random state is kept, so the number of workers and interruptions do not affect them.

    Args:
        samples: images that the keys' indices refer to.
        labels: class label of each sample.
        preprocessing: size and interpolation of the network's input.
        augmentation: random changes; None for none.
        seed: seed of the random changes.
        cache: decoded images of the samples; None reads the files. Without random crops, batches are the
            same with and without a cache. Random crops are taken of the images in the cache, which may be
            smaller than the files.
        part: which part of each batch to make; its pixels are those that it has in the whole batch.

    Raises:
        ValueError: the numbers of samples, labels and cached images differ, or the cache was made with other
            settings.
    """

    def __init__(
        self,
        samples: Sequence[Sample],
        labels: Sequence[int],
        *,
        preprocessing: Preprocessing,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        cache: DecodedCache | None = None,
        part: Part = WHOLE,
    ) -> None:
        if len(samples) != len(labels):
            raise ValueError(f"got {len(samples)} samples and {len(labels)} labels: expected one label each")
        self.samples, self.labels, self._cache, self._part = samples, labels, cache, part
        self.preprocessing, self.augmentation, self.seed = preprocessing, augmentation, seed
        form = CacheForm(preprocessing, augmentation is not None and augmentation.crops).to_dict()
        if cache is not None and (cache.form != form or len(cache) != len(samples)):
            raise ValueError(
                f"the cache holds {len(cache)} images for {cache.form}, expected {len(samples)} for {form}"
            )

    def __getitem__(self, key: BatchKey) -> Batch:
        return self._make(key, is_changed=True)

    def unchanged(self, key: BatchKey) -> Batch:
        """Return a batch with its random crops but without the other random changes (see `changes`)."""
        return self._make(key, is_changed=False)

    def changes(self, key: BatchKey) -> Changes | None:
        """Return the random changes of the part of a batch; None without augmentation."""
        if self.augmentation is None:
            return None
        size = self.preprocessing.height, self.preprocessing.width
        changes = self.augmentation.draw((self.seed, key.epoch, key.step), len(key.indices), *size)
        return changes.of_rows(self._part.rows(len(key.indices)))

    def _make(self, key: BatchKey, *, is_changed: bool) -> Batch:
        indices = key.indices[self._part.rows(len(key.indices))]
        size = (len(indices), self.preprocessing.height, self.preprocessing.width, 3)
        images, changes = np.empty(size, dtype=np.uint8), self.changes(key)
        for place, index in enumerate(indices):
            image = self._read(index, place, changes)
            if changes is None or not is_changed:
                images[place] = image
            else:
                changes.write(place, image, images[place])
        return Batch(
            images=torch.from_numpy(images).permute(0, 3, 1, 2),
            labels=torch.tensor([self.labels[i] for i in indices]),
            camids=torch.tensor([self.samples[i].camid for i in indices]),
        )

    def _read(self, index: int, place: int, changes: Changes | None) -> Image8:
        """Read one image and resize it to (height, width, 3), after a random crop if there is one."""
        sample = self.samples[index]
        image = read_sample(sample) if self._cache is None else self._cache[index]
        if self.augmentation is not None and changes is not None and changes.cropping is not None:
            return self.preprocessing.squeeze(self.augmentation.crop(image, changes.cropping[place]))
        return self.preprocessing.resize(image, name=sample.path) if self._cache is None else image


class BatchLoader:
    """Iterate over the batches of a sampler's keys; errors in workers are raised again with their own type.

    Args:
        batches: makes the batch of a key.
        keys: keys of the batches, in order.
        num_workers: processes that make batches; 0 makes them in the current process.
        pin_memory: put batches into pinned memory, for faster copies to a GPU.
        change_on: device that applies the random changes to whole batches; the batches then lie on it. None
            applies them image by image where the images are read. The pixels are the same.
    """

    def __init__(
        self,
        batches: ImageBatches,
        keys: Sampler[BatchKey] | Sequence[BatchKey],
        *,
        num_workers: int = 0,
        pin_memory: bool = False,
        change_on: torch.device | None = None,
    ) -> None:
        self._batches, self._change_on = batches, change_on
        dataset: Dataset[Any] = batches if change_on is None else _UnchangedBatches(batches)
        self._loader: DataLoader[Any] = DataLoader(
            dataset,
            sampler=keys,
            batch_size=None,
            num_workers=num_workers,
            worker_init_fn=_prepare_worker,
            persistent_workers=num_workers > 0,
            pin_memory=pin_memory,
            generator=torch.Generator(),  # otherwise every iteration would advance torch's global generator
        )
        if num_workers:
            _loaders_with_workers().add(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        try:
            for item in self._items():
                yield item if self._change_on is None else self._changed(item, self._change_on)
        except (OSError, ValueError) as error:
            _end_workers(self._loader)
            if not str(error).startswith("Caught "):
                raise
            # a worker's error contains its traceback as text; the last line is the message for the user
            message = str(error).strip().splitlines()[-1]
            raise type(error)(message.removeprefix(f"{_qualified_name(error)}: ")) from None

    def _items(self) -> Iterator[Any]:
        if not self._loader.num_workers:
            return iter(self._loader)
        with signals_held(multiprocessing.get_context()):
            return iter(self._loader)

    def _changed(self, item: tuple[BatchKey, Batch], device: torch.device) -> Batch:
        key, batch = item
        images, changes = batch.images.to(device, non_blocking=True), self._batches.changes(key)
        return batch._replace(images=images if changes is None else changes.apply(images))


class _UnchangedBatches(Dataset[tuple[BatchKey, Batch]]):
    """Batches without random changes (except crops), together with their keys."""

    def __init__(self, batches: ImageBatches) -> None:
        self._batches = batches

    def __getitem__(self, key: BatchKey) -> tuple[BatchKey, Batch]:
        return key, self._batches.unchanged(key)


def consecutive_keys(num_samples: int, batch_size: int) -> list[BatchKey]:
    """Return the keys of batches that cover all samples in order; the last batch may be smaller."""
    starts = range(0, num_samples, batch_size)
    return [
        BatchKey(0, step, tuple(range(start, min(start + batch_size, num_samples))))
        for step, start in enumerate(starts)
    ]


def make_label_map(samples: Sequence[Sample]) -> dict[int, int]:
    """Map identities to labels 0..C-1, in ascending order of identity, so that runs agree everywhere."""
    return {pid: label for label, pid in enumerate(sorted({sample.pid for sample in samples}))}


def check_images(samples: Sequence[Sample], *, num_threads: int = 4) -> None:
    """Check all image files before a long run starts: their headers and ends, without decoding.

    Raises:
        UnreadableImageError: files are missing or are not complete images; names the first five.
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
    """Set up a worker: no OpenCV threads, and no reaction to signals.

    The trainer handles SIGINT and SIGTERM: it finishes its step and then stops the workers, which were
    started with both signals held back.
    """
    cv2.setNumThreads(0)
    for number in NUMBERS:
        signal.signal(number, signal.SIG_IGN)


@functools.cache
def _loaders_with_workers() -> weakref.WeakSet[DataLoader[Batch]]:
    """Return the set of loaders with workers, which are ended when the program exits.

    Python itself would end them with SIGTERM at exit, which these workers ignore.
    """
    loaders: weakref.WeakSet[DataLoader[Batch]] = weakref.WeakSet()

    def end_all() -> None:
        for loader in list(loaders):
            _end_workers(loader)

    atexit.register(end_all)
    return loaders


def _end_workers(loader: DataLoader[Batch]) -> None:
    """End a loader's workers; torch has no public method for it and leaves it to the garbage collector."""
    iterator: Any = loader._iterator
    if iterator is not None:
        iterator._shutdown_workers()
        loader._iterator = None


def _qualified_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
