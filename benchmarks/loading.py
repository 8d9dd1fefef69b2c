"""Images per second of the training loader alone, compared with torchvision's ImageFolder, in one process.

    python benchmarks/loading.py [--seconds S] [--repeats N]

Both read the same JPEG files of synthetic people, which are rendered first. They resize images to 256 x 128,
mirror, pad and crop, and erase them at random, and return normalised float32 batches of 64. Our batches are
normalised in the main process, as in training. The sides take turns with whole epochs; results are medians
over the repeats. Prints a Markdown page for docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch
from machine import print_header
from torch import Tensor
from torch.utils.data import DataLoader
from torchvision import transforms
from torchvision.datasets import ImageFolder

from reid_gl.data.datasets import load_market_layout
from reid_gl.data.loading.augmentation import Augmentation
from reid_gl.data.loading.cache_format import CacheForm
from reid_gl.data.loading.decoded_cache import DecodedCache, open_cache
from reid_gl.data.loading.loaders import BatchLoader, ImageBatches, make_label_map
from reid_gl.data.loading.sampler import PKSampler
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.records import Sample
from reid_gl.synthetic.write_people import write_synthetic

PREPROCESSING, AUGMENTATION = Preprocessing(), Augmentation()
P, K = 16, 4
WORKERS = (0, 2)

Pass = Callable[[], int]
"""One epoch; returns its number of images."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=4.0, help="minimum length of a turn")
    parser.add_argument("--repeats", type=int, default=5, help="number of turns of each side")
    options = parser.parse_args()
    print_header("Loading")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_synthetic(folder / "people")
        train = load_market_layout(folder / "people").train
        start = time.perf_counter()
        cache = open_cache(folder / "cache", train, CacheForm(PREPROCESSING))
        seconds = time.perf_counter() - start
        print(f"{len(train)} images, decoded into the cache in {seconds:.1f} s.\n")
        print("| workers | loader | images/s | ratio |\n|---|---|---|---|")
        for num_workers in WORKERS:
            sides = {
                "torchvision ImageFolder": torchvision_pass(train, folder / "classes", num_workers),
                "reid_gl": our_pass(train, num_workers, None),
                "reid_gl, decoded cache": our_pass(train, num_workers, cache),
            }
            print_rates(num_workers, take_turns(sides, options.seconds, options.repeats))


def print_rates(num_workers: int, rates: dict[str, float]) -> None:
    first = next(iter(rates.values()))
    for name, rate in rates.items():
        print(f"| {num_workers} | {name} | {rate:,.0f} | {rate / first:.1f} |", flush=True)


def take_turns(sides: dict[str, Pass], seconds: float, repeats: int) -> dict[str, float]:
    """Return the median images/s of each side, after one warm-up epoch of each."""
    rates: dict[str, list[float]] = {name: [] for name in sides}
    for run in sides.values():
        run()
    for _ in range(repeats):
        for name, run in sides.items():
            start, images = time.perf_counter(), 0
            while time.perf_counter() < start + seconds:
                images += run()
            rates[name].append(images / (time.perf_counter() - start))
    return {name: statistics.median(measured) for name, measured in rates.items()}


def our_pass(train: tuple[Sample, ...], num_workers: int, cache: DecodedCache | None) -> Pass:
    label_map = make_label_map(train)
    labels = [label_map[sample.pid] for sample in train]
    batches = ImageBatches(train, labels, preprocessing=PREPROCESSING, augmentation=AUGMENTATION, cache=cache)
    sampler = PKSampler(labels, num_identities=P, num_images=K)
    loader = BatchLoader(batches, sampler, num_workers=num_workers)
    return lambda: sum(len(used(PREPROCESSING.normalize(batch.images))) for batch in loader)


def torchvision_pass(train: tuple[Sample, ...], folder: Path, num_workers: int) -> Pass:
    """Load the same images from one folder per identity, with torchvision's transforms."""
    for sample in train:
        link = folder / str(sample.pid) / Path(sample.path).name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.exists():
            link.symlink_to(sample.path)
    height, width = PREPROCESSING.height, PREPROCESSING.width
    change = transforms.Compose(
        [
            transforms.Resize((height, width)),
            transforms.RandomHorizontalFlip(AUGMENTATION.flip),
            transforms.Pad(AUGMENTATION.pad),
            transforms.RandomCrop((height, width)),
            transforms.ToTensor(),
            transforms.Normalize(PREPROCESSING.mean, PREPROCESSING.std),
            transforms.RandomErasing(AUGMENTATION.erase, AUGMENTATION.erase_area, (0.3, 1 / 0.3)),
        ]
    )
    loader = DataLoader(
        ImageFolder(folder, change),
        batch_size=P * K,
        shuffle=True,
        drop_last=True,
        num_workers=num_workers,
        persistent_workers=num_workers > 0,
    )
    return lambda: sum(len(used(images)) for images, _ in loader)


def used(images: Tensor) -> Tensor:
    """Check the type and shape of a batch."""
    assert images.dtype == torch.float32
    assert images.shape == (P * K, 3, PREPROCESSING.height, PREPROCESSING.width)
    return images


if __name__ == "__main__":
    main()
