"""Images in batches, read and augmented by worker processes where asked."""

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

from reid_gl.data.loading.augmentation import Augmentation
from reid_gl.data.loading.cache_format import CacheForm, read_sample
from reid_gl.data.loading.decoded_cache import DecodedCache
from reid_gl.data.loading.images import Image8, UnreadableImageError, check_image
from reid_gl.data.loading.random_changes import Changes
from reid_gl.data.loading.sampler import WHOLE, BatchKey, Part
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.records import Batch, Sample


class ImageBatches(Dataset[Batch]):
    """Batches, or one part of each, by their key; a key always gives the same images.

    Each image's random changes are drawn from the seed, the epoch, the step and the image's place in
    the batch, never from a state, so that neither workers nor an interruption alter them.

    Args:
        samples: images that keys point to.
        labels: of the samples.
        preprocessing: size and kernel.
        augmentation: random changes; None for none.
        seed: of the changes.
        cache: decoded images of the samples; None reads the files. Without random crops the batches are
            the same; with them they are cut out of the images as the cache keeps them.
        part: which part of each batch to make; it has the pixels that it has in the whole batch.

    Raises:
        ValueError: numbers of samples, labels and cached images differ, or the cache is of other settings.
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
            raise ValueError(f"{len(samples)} samples and {len(labels)} labels: expected as many")
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
        """The batch before what `changes` says, but for random crops."""
        return self._make(key, is_changed=False)

    def changes(self, key: BatchKey) -> Changes | None:
        """Random changes of the part of a batch; None without augmentation."""
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
        """One image (height, width, 3), cropped at random where the changes say so."""
        sample = self.samples[index]
        image = read_sample(sample) if self._cache is None else self._cache[index]
        if self.augmentation is not None and changes is not None and changes.cropping is not None:
            return self.preprocessing.squeeze(self.augmentation.crop(image, changes.cropping[place]))
        return self.preprocessing.resize(image, name=sample.path) if self._cache is None else image


class BatchLoader:
    """Iterates the batches of a sampler's keys; errors of workers come out as they were raised.

    Args:
        batches: what keys stand for.
        keys: of the batches, in order.
        num_workers: processes that make batches; 0 for none.
        pin_memory: make them ready to be sent to a GPU.
        change_on: device that makes the random changes, to whole batches, which it then holds; None leaves
            them to whoever reads the images. The pixels are the same.
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
            generator=torch.Generator(),  # else every iteration would draw from torch's global state
        )
        if num_workers:
            _loaders_with_workers().add(self._loader)

    def __iter__(self) -> Iterator[Batch]:
        try:
            for item in self._loader:
                yield item if self._change_on is None else self._changed(item, self._change_on)
        except (UnreadableImageError, FileNotFoundError) as error:
            # a worker's error carries its traceback as text; its last line is the sentence for the user
            message = str(error).strip().splitlines()[-1]
            _end_workers(self._loader)
            raise type(error)(message.removeprefix(f"{_qualified_name(error)}: ")) from None

    def _changed(self, item: tuple[BatchKey, Batch], device: torch.device) -> Batch:
        key, batch = item
        images, changes = batch.images.to(device, non_blocking=True), self._batches.changes(key)
        return batch._replace(images=images if changes is None else changes.apply(images))


class _UnchangedBatches(Dataset[tuple[BatchKey, Batch]]):
    """Batches before their random changes, with their keys."""

    def __init__(self, batches: ImageBatches) -> None:
        self._batches = batches

    def __getitem__(self, key: BatchKey) -> tuple[BatchKey, Batch]:
        return key, self._batches.unchanged(key)


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
        UnreadableImageError: some files are missing or are no whole images; names the first five.
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
