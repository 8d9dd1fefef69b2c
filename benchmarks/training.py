"""Training throughput compared with torchreid's triplet engine, on the same folder, in one process.

    python benchmarks/training.py [--root FOLDER] [--steps N] [--repeats N]

Both train a ResNet with last stride 2 (ours also has a BNNeck) on 16 identities x 4 images from the
same files, with random flips, crops and erasing, on the same device. They take turns, and results are
medians over the repeats. Without --root, synthetic people are rendered first. Prints a Markdown page for
docs/benchmarks/.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from machine import print_header

from reid_gl.data.datasets import load_market_layout
from reid_gl.data.loading.augmentation import Augmentation
from reid_gl.data.loading.loaders import BatchLoader, ImageBatches, make_label_map
from reid_gl.data.loading.sampler import PKSampler
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.device import choose_device, choose_precision
from reid_gl.losses import CrossEntropyLoss, GroupLoss, LossTerm, WeightedSum
from reid_gl.models import NetSettings, ReidNet
from reid_gl.records import Batch, ReidDataset
from reid_gl.synthetic.write_people import write_synthetic
from reid_gl.training.optimizer import make_optimizer
from reid_gl.training.step import StepSettings, train_step

P, K = 16, 4
CASES = (("resnet50", 256, 128), ("resnet18", 128, 64))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, help="a data set in the layout of Market-1501")
    parser.add_argument("--steps", type=int, default=4, help="timed steps per turn")
    parser.add_argument("--repeats", type=int, default=3, help="number of turns of each side")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = options.root or Path(folder) / "synthetic"
        if options.root is None:
            write_synthetic(root)
        print_header("Training throughput")
        print(f"Data: {root.name}, batches of {P} x {K}.\n")
        dataset = load_market_layout(root)
        for backbone, height, width in CASES:
            ours = our_steps(dataset, backbone, height, width)
            theirs = torchreid_steps(dataset, backbone, height, width)
            print_case(backbone, height, width, *take_turns(ours, theirs, options.steps, options.repeats))
            print_shares(dataset, backbone, height, width, options.steps)


def print_case(backbone: str, height: int, width: int, ours: float, theirs: float) -> None:
    print(f"## {backbone}, {height} x {width}\n")
    print("| | images/s | ratio |\n|---|---|---|")
    print(f"| torchreid, triplet engine, float32 | {theirs:.1f} | 1.0 |")
    print(f"| reid_gl, Group Loss + cross-entropy | {ours:.1f} | {ours / theirs:.2f} |\n", flush=True)


def take_turns(ours: Iterator[int], theirs: Iterator[int], steps: int, repeats: int) -> tuple[float, float]:
    """Return the median images/s of both sides, after one warm-up step of each."""
    rates: tuple[list[float], list[float]] = ([], [])
    for side in (ours, theirs):
        next(side)
    for _ in range(repeats):
        for side, collected in zip((ours, theirs), rates, strict=True):
            start = time.perf_counter()
            images = sum(next(side) for _ in range(steps))
            synchronize()
            collected.append(images / (time.perf_counter() - start))
    return statistics.median(rates[0]), statistics.median(rates[1])


def synchronize() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def our_batches(dataset: ReidDataset, height: int, width: int, num_workers: int = 2) -> Iterator[Batch]:
    label_map = make_label_map(dataset.train)
    labels = [label_map[sample.pid] for sample in dataset.train]
    sampler = PKSampler(labels, num_identities=P, num_images=K)
    images = ImageBatches(
        dataset.train,
        labels,
        preprocessing=Preprocessing(height, width),
        augmentation=Augmentation(pad=height // 25),
    )
    loader = BatchLoader(images, sampler, num_workers=num_workers, pin_memory=torch.cuda.is_available())
    for epoch in range(1000):
        sampler.start_at(epoch)
        yield from loader


def our_step(
    dataset: ReidDataset, backbone: str, height: int, width: int
) -> Callable[[Batch], dict[str, float]]:
    device = choose_device("auto")
    num_classes = len(make_label_map(dataset.train))
    net = ReidNet(NetSettings(backbone, num_classes, last_stride=2)).to(device).train()
    net = net.to(memory_format=torch.channels_last)
    losses = WeightedSum(
        [
            LossTerm("group", GroupLoss(anchors_per_class=1)),
            LossTerm("cross_entropy", CrossEntropyLoss()),
        ]
    )
    optimizer = make_optimizer(net, losses)
    settings = StepSettings(choose_precision("auto", device))
    scaler = torch.amp.GradScaler(device.type, enabled=settings.dtype == torch.float16)
    preprocessing = Preprocessing(height, width)

    def step(batch: Batch) -> dict[str, float]:
        images = preprocessing.normalize(batch.images.to(device, non_blocking=True))
        return train_step(
            net,
            losses,
            optimizer,
            images.contiguous(memory_format=torch.channels_last),
            batch.labels.to(device, non_blocking=True),
            settings=settings,
            scaler=scaler,
            generator=torch.Generator().manual_seed(0),
        )

    return step


def our_steps(dataset: ReidDataset, backbone: str, height: int, width: int) -> Iterator[int]:
    step = our_step(dataset, backbone, height, width)
    for batch in our_batches(dataset, height, width):
        step(batch)
        yield len(batch.labels)


def torchreid_steps(dataset: ReidDataset, backbone: str, height: int, width: int) -> Iterator[int]:
    """Run steps of torchreid's own engine with torchreid's own loader; yield the images of each step."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from torchreid import reid

        label_map = make_label_map(dataset.train)
        train = [(sample.path, label_map[sample.pid], sample.camid) for sample in dataset.train]
        test = [(sample.path, sample.pid, sample.camid) for sample in dataset.query]

        class Folder(reid.data.ImageDataset):
            def __init__(self, root: str = "", **keywords: object) -> None:
                super().__init__(train, test, test, **keywords)

        name = f"folder_{backbone}_{height}"
        reid.data.register_image_dataset(name, Folder)
        manager = reid.data.ImageDataManager(
            root="",
            sources=name,
            height=height,
            width=width,
            batch_size_train=P * K,
            num_instances=K,
            train_sampler="RandomIdentitySampler",
            transforms=["random_flip", "random_crop", "random_erase"],
            workers=2,
            use_gpu=torch.cuda.is_available(),
        )
        model = reid.models.build_model(backbone, len(label_map), loss="triplet", pretrained=False)
        if torch.cuda.is_available():
            model = model.cuda()
        optimizer = reid.optim.build_optimizer(model, optim="adam", lr=3.5e-4)
        engine = reid.engine.ImageTripletEngine(manager, model, optimizer, use_gpu=torch.cuda.is_available())
    engine.set_model_mode("train")
    for _ in range(1000):
        for data in engine.train_loader:
            engine.forward_backward(data)
            yield P * K


def print_shares(dataset: ReidDataset, backbone: str, height: int, width: int, steps: int) -> None:
    """Print the cost of loading and augmentation: alone, and as the time that a step waits for them."""
    alone = our_batches(dataset, height, width, num_workers=0)
    next(alone)
    start = time.perf_counter()
    for _ in range(10):
        next(alone)
    loading = (time.perf_counter() - start) / 10
    step, batches = our_step(dataset, backbone, height, width), our_batches(dataset, height, width)
    step(next(batches))
    waited = 0.0
    start = time.perf_counter()
    for _ in range(2 * steps):
        before = time.perf_counter()
        batch = next(batches)
        waited += time.perf_counter() - before
        step(batch)
    synchronize()
    total = time.perf_counter() - start
    print("| loader and augmentation | |\n|---|---|")
    print(f"| alone, one process | {1000 * loading:.1f} ms per batch, {P * K / loading:.0f} images/s |")
    print(f"| as a share of a step, if they did not overlap | {loading / (total / (2 * steps)):.1%} |")
    print(f"| time that a step waits for data, two workers | {waited / total:.1%} |\n", flush=True)


if __name__ == "__main__":
    main()
