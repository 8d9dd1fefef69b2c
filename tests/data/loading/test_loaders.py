from __future__ import annotations

import logging
import multiprocessing
import pickle
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reid_gl.data.loading.augmentation import Augmentation
from reid_gl.data.loading.cache_format import CacheForm
from reid_gl.data.loading.decoded_cache import open_cache
from reid_gl.data.loading.images import UnreadableImageError, read_image
from reid_gl.data.loading.loaders import (
    BatchLoader,
    ImageBatches,
    check_images,
    consecutive_keys,
    make_label_map,
)
from reid_gl.data.loading.sampler import BatchKey, Part, PKSampler
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.records import Batch, Sample
from tests.conftest import MakeSamples, WriteNoise

SMALL = Preprocessing(height=16, width=8)


@pytest.fixture
def batches(make_samples: MakeSamples) -> ImageBatches:
    """Twelve images of four people, augmented."""
    samples = make_samples(*((number % 4, number % 3) for number in range(12)))
    labels = [sample.pid for sample in samples]
    return ImageBatches(samples, labels, preprocessing=SMALL, augmentation=Augmentation(pad=2), seed=3)


def _same(first: Batch, second: Batch) -> bool:
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_a_batch_holds_what_its_key_says(batches: ImageBatches) -> None:
    batch = batches[BatchKey(0, 0, (5, 2, 11))]
    assert batch.images.shape == (3, 3, 16, 8)
    assert batch.images.dtype == torch.uint8
    assert batch.labels.tolist() == [1, 2, 3]
    assert batch.camids.tolist() == [2, 2, 2]
    assert batch.labels.dtype == batch.camids.dtype == torch.int64


def test_without_augmentation_the_images_are_the_files(make_samples: MakeSamples) -> None:
    samples = make_samples((1, 0), (2, 0))
    plain = ImageBatches(samples, [0, 1], preprocessing=Preprocessing(height=32, width=16))
    images = plain[BatchKey(0, 0, (1, 0))].images
    assert np.array_equal(images[0].permute(1, 2, 0), read_image(samples[1].path))
    assert np.array_equal(images[1].permute(1, 2, 0), read_image(samples[0].path))


def test_changes_depend_on_seed_epoch_step_and_place_only(batches: ImageBatches) -> None:
    key = BatchKey(2, 7, (3, 3, 3, 3))
    images = batches[key].images
    assert torch.equal(batches[key].images, images)
    assert len({image.numpy().tobytes() for image in images}) > 1
    for other in (key._replace(epoch=3), key._replace(step=8)):
        assert not torch.equal(batches[other].images, images)
    again = ImageBatches(
        batches.samples, batches.labels, preprocessing=SMALL, augmentation=batches.augmentation, seed=4
    )
    assert not torch.equal(again[key].images, images)


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with one core
def test_workers_change_no_bit_and_no_global_state(batches: ImageBatches) -> None:
    sampler = PKSampler(batches.labels, num_identities=2, num_images=2, seed=1)
    state = torch.get_rng_state()
    alone = list(BatchLoader(batches, sampler))
    helped = BatchLoader(batches, sampler, num_workers=2)
    assert len(alone) == len(sampler)
    for _ in range(2):  # the workers live on
        assert all(_same(one, other) for one, other in zip(alone, helped, strict=True))
    sampler.start_at(1, 1)  # and follow the sampler to another epoch
    expected = [batches[key] for key in sampler]
    assert all(_same(one, other) for one, other in zip(expected, helped, strict=True))
    assert torch.equal(torch.get_rng_state(), state)


def test_the_data_set_can_be_sent_to_a_spawned_worker(batches: ImageBatches) -> None:
    copy = pickle.loads(pickle.dumps(batches))
    key = BatchKey(0, 0, (0, 1, 2))
    assert _same(copy[key], batches[key])


CHANGES = [
    None,
    Augmentation(pad=2),
    Augmentation(pad=2, color_gain=0.2),
    Augmentation(pad=0, crop_area=(0.2, 0.8)),
]
KEY = BatchKey(2, 7, (5, 2, 11, 2))


def _with(batches: ImageBatches, augmentation: Augmentation | None, shorter_side: int = 0) -> ImageBatches:
    preprocessing = replace(SMALL, shorter_side=shorter_side)
    settings = {"preprocessing": preprocessing, "augmentation": augmentation, "seed": 3}
    return ImageBatches(batches.samples, batches.labels, **settings)


def _cached(batches: ImageBatches, folder: Path) -> ImageBatches:
    augmentation = batches.augmentation
    form = CacheForm(batches.preprocessing, augmentation is not None and augmentation.crops)
    return ImageBatches(
        batches.samples,
        batches.labels,
        preprocessing=batches.preprocessing,
        augmentation=augmentation,
        seed=batches.seed,
        cache=open_cache(folder, batches.samples, form),
    )


@pytest.mark.parametrize("shorter_side", [0, 18])
@pytest.mark.parametrize("augmentation", CHANGES[:3])
def test_without_crops_batches_from_a_cache_are_those_from_the_files(
    batches: ImageBatches, tmp_path: Path, augmentation: Augmentation | None, shorter_side: int
) -> None:
    plain = _with(batches, augmentation, shorter_side)
    cached = _cached(plain, tmp_path / "cache")
    for key in consecutive_keys(12, 5):
        assert _same(cached[key], plain[key])


@pytest.mark.parametrize("shorter_side", [0, 40])
def test_crops_are_cut_out_of_what_the_cache_keeps(
    batches: ImageBatches, tmp_path: Path, shorter_side: int
) -> None:
    """Images are 32 x 16: kept whole where the shorter side may have 16 x 8 / 7 pixels or more."""
    crops = replace(CHANGES[3], flip=0.0, erase=0.0)  # type: ignore[type-var]
    plain = _with(batches, crops, shorter_side)
    assert _same(_cached(plain, tmp_path / "cache")[KEY], plain[KEY])
    changes = plain.changes(KEY)
    assert changes is not None
    assert changes.cropping is not None
    for place, index in enumerate(KEY.indices):
        part = crops.crop(read_image(plain.samples[index].path), changes.cropping[place])
        assert 0.2 * 0.8 < part.shape[0] * part.shape[1] / (32 * 16) < 0.8 * 1.2
        assert np.array_equal(plain[KEY].images[place].permute(1, 2, 0), SMALL.squeeze(part))


def test_larger_images_shrink_before_crops_are_cut_out(write_noise: WriteNoise, tmp_path: Path) -> None:
    samples = [Sample(str(write_noise("large.png", size=(90, 60))), 1)]
    crops = Augmentation(flip=0, pad=0, erase=0, crop_area=(0.5, 0.9))
    plain = ImageBatches(samples, [0], preprocessing=SMALL, augmentation=crops)
    cached, key = _cached(plain, tmp_path / "cache"), BatchKey(0, 0, (0,))
    changes = plain.changes(key)
    assert changes is not None
    assert changes.cropping is not None
    kept = CacheForm(SMALL, for_crops=True).keep(samples[0])
    assert kept.shape == (27, 18, 3)
    part = SMALL.squeeze(crops.crop(kept, changes.cropping[0]))
    assert np.array_equal(cached[key].images[0].permute(1, 2, 0), part)
    assert not _same(cached[key], plain[key])


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with one core
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize("augmentation", CHANGES)
def test_changes_made_to_batches_on_their_device_change_no_bit(
    batches: ImageBatches, tmp_path: Path, augmentation: Augmentation | None, num_workers: int
) -> None:
    plain = _with(batches, augmentation)
    cached = _cached(plain, tmp_path / "cache")
    keys = [KEY, BatchKey(3, 0, (1,))]
    loader = BatchLoader(cached, keys, num_workers=num_workers, change_on=torch.device("cpu"))
    expected = [cached[key] for key in keys]
    assert all(_same(one, other) for one, other in zip(loader, expected, strict=True))


def test_a_cache_must_be_of_these_samples_and_settings(batches: ImageBatches, tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache", batches.samples, CacheForm(SMALL))
    settings = {"labels": [0] * 12, "cache": cache}
    with pytest.raises(ValueError, match=r"the cache holds 12 images .* expected 11 for"):
        ImageBatches(batches.samples[1:], [0] * 11, preprocessing=SMALL, cache=cache)
    with pytest.raises(ValueError, match=r"'height': 16, .* expected 12 for {'height': 17,"):
        ImageBatches(batches.samples, preprocessing=replace(SMALL, height=17), **settings)
    with pytest.raises(ValueError, match=r"'for_crops': False}, expected 12 for .*'for_crops': True}"):
        ImageBatches(batches.samples, preprocessing=SMALL, augmentation=CHANGES[3], **settings)


def test_the_centre_of_a_image_is_read(write_noise: WriteNoise) -> None:
    path = write_noise("wide.png", size=(16, 40))
    plain = ImageBatches([Sample(str(path), 1)], [0], preprocessing=replace(SMALL, shorter_side=16))
    image = plain[BatchKey(0, 0, (0,))].images[0].permute(1, 2, 0)
    assert np.array_equal(image, read_image(path)[:, 16:24])


def test_boxes_are_cut_out(write_noise: WriteNoise) -> None:
    path = write_noise("frame.png", size=(40, 30))
    samples = [Sample(str(path), 1, box=(5, 10, 13, 26)), Sample(str(path), 1)]
    images = ImageBatches(samples, [0, 0], preprocessing=SMALL)[BatchKey(0, 0, (0, 1))].images
    frame = read_image(path)
    assert np.array_equal(images[0].permute(1, 2, 0), frame[10:26, 5:13])  # 16 x 8: nothing to resize
    assert np.array_equal(images[1].permute(1, 2, 0), SMALL.resize(frame))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with one core
@pytest.mark.parametrize("num_workers", [0, 2])
@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"\xff\xd8 nonsense", UnreadableImageError, r"^\S*broken\.jpg is not an image .* from the folder$"),
        (
            b"",
            UnreadableImageError,
            r"^image \S*broken\.jpg is empty \(0 bytes\): restore or remove the file$",
        ),
        (None, FileNotFoundError, r"^image \S*broken\.jpg does not exist$"),
    ],
)
def test_a_broken_image_stops_the_loader_with_one_sentence(
    make_samples: MakeSamples,
    tmp_path: Path,
    content: bytes | None,
    error: type[Exception],
    message: str,
    num_workers: int,
) -> None:
    samples = make_samples((1, 0), (1, 0))
    path = tmp_path / "broken.jpg"
    if content is not None:
        path.write_bytes(content)
    samples.append(replace(samples[0], path=str(path)))
    plain = ImageBatches(samples, [0, 0, 0], preprocessing=SMALL)
    start = time.perf_counter()
    with pytest.raises(error, match=message) as caught:
        list(BatchLoader(plain, consecutive_keys(3, 2), num_workers=num_workers))
    assert "\n" not in str(caught.value)
    assert not multiprocessing.active_children()
    assert time.perf_counter() - start < 5


@pytest.mark.filterwarnings("ignore:This DataLoader will create")  # on a machine with one core
@pytest.mark.parametrize("num_workers", [0, 1])
def test_a_disk_that_fails_is_one_sentence_too(
    batches: ImageBatches, num_workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error", "cache.npy")

    monkeypatch.setattr(ImageBatches, "_read", fail)  # workers are forked, and see it
    with pytest.raises(OSError, match=r"^\[Errno 5\] Input/output error: 'cache\.npy'$"):
        list(BatchLoader(batches, consecutive_keys(1, 1), num_workers=num_workers))
    assert not multiprocessing.active_children()


@pytest.mark.slow
def test_a_program_that_fails_does_not_wait_for_its_workers(make_samples: MakeSamples) -> None:
    """Workers ignore SIGTERM, which is how Python ends processes that are left over."""
    path = make_samples((1, 0))[0].path
    code = (
        "from reid_gl.data.loading.loaders import BatchLoader, ImageBatches, consecutive_keys\n"
        "from reid_gl.data.loading.transforms import Preprocessing\n"
        "from reid_gl.records import Sample\n"
        f"batches = ImageBatches([Sample({path!r}, 1)] * 9, [0] * 9, preprocessing=Preprocessing(16, 8))\n"
        "loader = BatchLoader(batches, consecutive_keys(9, 2), num_workers=1)\n"
        "for batch in loader:\n"
        "    raise RuntimeError('out of memory')"
    )
    run = subprocess.run([sys.executable, "-c", code], timeout=60, capture_output=True, text=True)
    assert run.returncode == 1
    assert run.stderr.strip().endswith("RuntimeError: out of memory")


GROUP_SIGNALS = """
import multiprocessing, os, signal, sys, threading
from reid_gl.data.loading.loaders import BatchLoader, ImageBatches, consecutive_keys
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.records import Sample

numbers, noted, is_over = (signal.SIGINT, signal.SIGTERM), set(), threading.Event()

def signal_all():
    while not is_over.wait(0.1):
        for number in numbers:
            os.killpg(0, number)

for number in numbers:
    signal.signal(number, lambda number, frame: noted.add(number))
batches = ImageBatches([Sample(sys.argv[1], 1)] * 40, [0] * 40, preprocessing=Preprocessing(16, 8))
threading.Thread(target=signal_all, daemon=True).start()
for method in ("fork", "forkserver", "forkserver", "spawn"):  # the second time its server is running
    multiprocessing.set_start_method(method, force=True)
    loader = BatchLoader(batches, consecutive_keys(40, 2), num_workers=1)
    print(method, len(list(loader)))
is_over.set()
print(sorted(map(int, noted)))
"""


@pytest.mark.slow
def test_signals_to_the_whole_group_end_no_worker(make_samples: MakeSamples) -> None:
    """Neither workers, also while they start, nor the server of "forkserver" (decision 12)."""
    run = subprocess.run(
        [sys.executable, "-c", GROUP_SIGNALS, make_samples((1, 0))[0].path],
        start_new_session=True,
        timeout=300,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == [
        "fork 20",
        "forkserver 20",
        "forkserver 20",
        "spawn 20",
        f"[{int(signal.SIGINT)}, {int(signal.SIGTERM)}]",
    ]


def test_check_images_names_the_first_five(make_samples: MakeSamples, tmp_path: Path) -> None:
    good = make_samples((1, 0), (2, 0))
    check_images(good)
    bad = []
    for number in range(7):
        path = tmp_path / f"bad{number}.jpg"
        path.write_bytes(b"")
        bad += [Sample(str(path), 1), Sample(str(path), 1)]  # a file is checked and counted once
    with pytest.raises(
        UnreadableImageError, match=r"^7 of 9 images cannot be read: .* \(and 2 more\)$"
    ) as all_bad:
        check_images(good + bad[::-1])
    assert [name in str(all_bad.value) for name in ("bad0", "bad4", "bad5")] == [True, True, False]
    with pytest.raises(UnreadableImageError, match=r"^1 of 3 images cannot be read: [^;]* remove the file$"):
        check_images(good + bad[:2])


@pytest.mark.parametrize(
    ("num_samples", "batch_size", "expected"),
    [(5, 2, [(0, 1), (2, 3), (4,)]), (4, 2, [(0, 1), (2, 3)]), (1, 9, [(0,)]), (0, 3, [])],
)
def test_consecutive_keys(num_samples: int, batch_size: int, expected: list[tuple[int, ...]]) -> None:
    keys = consecutive_keys(num_samples, batch_size)
    assert [key.indices for key in keys] == expected
    assert [key.step for key in keys] == list(range(len(expected)))


def test_labels_ascend_with_the_identities() -> None:
    samples = [Sample("", pid) for pid in (900, 7, -1, 7, 20, 900)]
    assert list(make_label_map(samples).items()) == [(-1, 0), (7, 1), (20, 2), (900, 3)]


def test_every_sample_needs_a_label(make_samples: MakeSamples) -> None:
    with pytest.raises(ValueError, match="got 1 samples and 2 labels: expected one label each"):
        ImageBatches(make_samples((1, 0)), [0, 1], preprocessing=SMALL)


def test_nothing_is_said_about_good_images(batches: ImageBatches, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        list(BatchLoader(batches, consecutive_keys(12, 5)))
    assert not caplog.text


@pytest.mark.parametrize("crops", [False, True])
@pytest.mark.parametrize("device", [None, torch.device("cpu")])
def test_parts_of_a_batch_have_the_pixels_of_the_whole(
    batches: ImageBatches, crops: bool, device: torch.device | None
) -> None:
    choices = {"pad": 0, "crop_area": (0.3, 1.0)} if crops else {"pad": 3}
    augmentation = Augmentation(flip=0.5, color_gain=0.2, **choices)
    key = BatchKey(1, 2, (0, 1, 2, 3))

    def make(part: Part) -> Batch:
        dealt = ImageBatches(
            batches.samples,
            batches.labels,
            preprocessing=batches.preprocessing,
            augmentation=augmentation,
            part=part,
        )
        return next(iter(BatchLoader(dealt, [key], change_on=device)))

    whole, parts = make(Part()), [make(Part(number, 2)) for number in (0, 1)]
    for name in ("images", "labels", "camids"):
        assert torch.equal(torch.cat([getattr(part, name) for part in parts]), getattr(whole, name))
