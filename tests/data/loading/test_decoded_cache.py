from __future__ import annotations

import json
import logging
import os
import pickle
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from reid_gl.data.loading.cache_format import CacheForm
from reid_gl.data.loading.decoded_cache import HEADER, IMAGES, INDEX, DecodedCache, open_cache
from reid_gl.data.loading.images import UnreadableImageError
from reid_gl.data.loading.transforms import Preprocessing
from reid_gl.records import Sample
from tests.conftest import MakeSamples, WriteNoise
from tests.forked import run_forked

FORM = CacheForm(Preprocessing(16, 8))


@pytest.fixture
def samples(make_samples: MakeSamples) -> list[Sample]:
    return make_samples(*((number, 0) for number in range(6)))


def _only(folder: Path) -> Path:
    """The only cache in a folder, in which there is nothing else."""
    (found,) = folder.iterdir()
    return found


def _assert_holds(cache: DecodedCache, samples: list[Sample], form: CacheForm = FORM) -> None:
    assert len(cache) == len(samples)
    for place, sample in enumerate(samples):
        assert np.array_equal(cache[place], form.keep(sample))


def test_holds_the_images_in_order_and_is_read_only(samples: list[Sample], tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "a" / "cache", samples, FORM)
    _assert_holds(cache, samples)
    assert cache.form == FORM.to_dict()
    with pytest.raises(ValueError, match="read-only"):
        cache[0][0] = 0
    assert sorted(path.name for path in _only(tmp_path / "a" / "cache").iterdir()) == [
        HEADER,
        INDEX,
        IMAGES,
    ]


def test_images_of_many_sizes(write_noise: WriteNoise, tmp_path: Path) -> None:
    """And more of them than are decoded at a time."""
    rng = np.random.default_rng(0)
    paths = [write_noise(f"{n}.png", seed=n, size=tuple(rng.integers(2, 40, 2).tolist())) for n in range(300)]
    samples = [Sample(str(path), 1, box=(0, 0, 30, 1 + number % 5)) for number, path in enumerate(paths)]
    form = CacheForm(Preprocessing(9, 8), for_crops=True)
    _assert_holds(open_cache(tmp_path / "cache", samples, form), samples, form)


def test_a_second_time_nothing_is_decoded(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        open_cache(tmp_path / "cache", samples, FORM)
    assert "holds no decoded cache of these files and settings" in caplog.text
    assert "decoding 6 images into" in caplog.text
    caplog.clear()
    expected = [FORM.keep(sample) for sample in samples]
    monkeypatch.setattr(CacheForm, "keep", None)
    with caplog.at_level(logging.DEBUG):
        cache = open_cache(tmp_path / "cache", samples, FORM)
    assert not caplog.text
    assert all(np.array_equal(cache[place], image) for place, image in enumerate(expected))


def _rewrite(samples: list[Sample], write_noise: WriteNoise) -> None:
    write_noise(Path(samples[2].path).name, seed=99)


def _touch(samples: list[Sample], write_noise: WriteNoise) -> None:
    os.utime(samples[2].path, ns=(1, 1))


@pytest.mark.parametrize("change", [_rewrite, _touch])
def test_changed_files_are_decoded_again_in_place_of_the_old(
    samples: list[Sample],
    tmp_path: Path,
    write_noise: WriteNoise,
    caplog: pytest.LogCaptureFixture,
    change: Callable[[list[Sample], WriteNoise], None],
) -> None:
    old = open_cache(tmp_path / "cache", samples, FORM)
    before = old[2].copy()
    change(samples, write_noise)
    with caplog.at_level(logging.INFO):
        cache = open_cache(tmp_path / "cache", samples, FORM)
    assert f"{_only(tmp_path / 'cache')} was made from other versions of the image files" in caplog.text
    _assert_holds(cache, samples)
    assert np.array_equal(old[2], before)  # who has it open goes on with what he has


def test_other_samples_boxes_and_settings_have_caches_of_their_own(
    samples: list[Sample], tmp_path: Path
) -> None:
    boxed = [*samples[:-1], Sample(samples[-1].path, 5, box=(1, 1, 9, 9))]
    cases = [
        (samples, FORM),
        (samples[::-1], FORM),
        (boxed, FORM),
        (samples, CacheForm(Preprocessing(16, 8, "area"))),
        (samples, CacheForm(Preprocessing(16, 8), for_crops=True)),
    ]
    for _ in range(2):
        for chosen, form in cases:
            _assert_holds(open_cache(tmp_path / "cache", chosen, form), chosen, form)
    assert len(list((tmp_path / "cache").iterdir())) == len(cases)
    renamed = [Sample(sample.path, 7, 3) for sample in samples]
    _assert_holds(open_cache(tmp_path / "cache", renamed, FORM), samples)
    assert len(list((tmp_path / "cache").iterdir())) == len(cases)  # identities and cameras are not in it


def _truncate(folder: Path) -> None:
    (folder / IMAGES).write_bytes(b"123")


def _spoil_header(folder: Path) -> None:
    (folder / HEADER).write_text('{"checksum": ')


def _spoil_index(folder: Path) -> None:
    (folder / INDEX).write_bytes(b"")


def _empty_header(folder: Path) -> None:
    (folder / HEADER).write_text("{}")


@pytest.mark.parametrize("spoil", [_truncate, _spoil_header, _spoil_index, _empty_header])
def test_a_spoilt_cache_is_made_anew(
    samples: list[Sample], tmp_path: Path, spoil: Callable[[Path], None], caplog: pytest.LogCaptureFixture
) -> None:
    open_cache(tmp_path / "cache", samples, FORM)
    spoil(_only(tmp_path / "cache"))
    with caplog.at_level(logging.INFO):
        _assert_holds(open_cache(tmp_path / "cache", samples, FORM), samples)
    assert "the decoded cache cannot be used and is made again" in caplog.text


def test_an_unfinished_one_is_ignored(samples: list[Sample], tmp_path: Path) -> None:
    open_cache(tmp_path / "cache", samples, FORM)
    finished = _only(tmp_path / "cache")
    finished.rename(finished.with_name(f".{finished.name}-abc"))
    (tmp_path / "cache" / f".{finished.name}-abc" / HEADER).unlink()
    _assert_holds(open_cache(tmp_path / "cache", samples, FORM), samples)


def test_a_broken_image_leaves_nothing_behind(samples: list[Sample], tmp_path: Path) -> None:
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"nonsense")
    with pytest.raises(UnreadableImageError, match=r"broken.jpg is not an image"):
        open_cache(tmp_path / "cache", [*samples, Sample(str(broken), 1)], FORM)
    assert not list((tmp_path / "cache").iterdir())


def test_a_full_disk_is_said_before_anything_is_decoded(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = len(samples) * FORM.estimate_bytes()
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=needed - 1))
    with pytest.raises(
        OSError,
        match=r"^the decoded cache of 6 images needs 0.00 GB and .*cache has 0.00 GB free: free some space",
    ):
        open_cache(tmp_path / "cache", samples, FORM)
    assert not list((tmp_path / "cache").iterdir())
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=needed))
    _assert_holds(open_cache(tmp_path / "cache", samples, FORM), samples)


def test_errors(samples: list[Sample], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there are no images to decode into a cache"):
        open_cache(tmp_path / "cache", [], FORM)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match=r"kept in a folder, but \S*file is a file: choose a folder"):
        open_cache(tmp_path / "file", samples, FORM)
    with pytest.raises(FileNotFoundError, match=r"^image /nowhere/a.jpg does not exist$"):
        open_cache(tmp_path / "cache", [Sample("/nowhere/a.jpg", 1)], FORM)


def test_sent_to_another_process_it_is_opened_again(samples: list[Sample], tmp_path: Path) -> None:
    cache = open_cache(tmp_path / "cache", samples, FORM)
    data = pickle.dumps(cache)
    assert len(data) < 1000
    _assert_holds(pickle.loads(data), samples)
    folder = _only(tmp_path / "cache")
    header = json.loads((folder / HEADER).read_text())
    (folder / HEADER).write_text(json.dumps({**header, "checksum": "other"}))
    with pytest.raises(ValueError, match="was made from other versions of the image files"):
        pickle.loads(data)


def test_the_faster_of_two_processes_wins(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    keep, is_first = CacheForm.keep, [True]

    def keep_after_another(form: CacheForm, sample: Sample) -> np.ndarray:
        if is_first:
            is_first.clear()
            open_cache(tmp_path / "cache", samples, FORM)
        return keep(form, sample)

    monkeypatch.setattr(CacheForm, "keep", keep_after_another)
    with caplog.at_level(logging.INFO):
        cache = open_cache(tmp_path / "cache", samples, FORM)
    assert "another process was faster" in caplog.text
    _assert_holds(cache, samples)
    assert _only(tmp_path / "cache")


@pytest.mark.slow
def test_several_processes_at_once(samples: list[Sample], tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as threads:
        runs = [threads.submit(run_forked, open_cache, tmp_path / "cache", samples * 50, FORM) for _ in "ab"]
    assert [run.result().code for run in runs] == [0, 0], [run.result().errors for run in runs]
    _assert_holds(open_cache(tmp_path / "cache", samples * 50, FORM), samples * 50)
    assert _only(tmp_path / "cache")


def test_zeros_of_a_power_loss_are_noticed_at_the_first_use_after_it(
    samples: list[Sample], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from reid_gl.data.loading import decoded_cache

    started, sums = tmp_path / "boot_id", []
    monkeypatch.setattr(decoded_cache, "BOOT_ID", started)
    sum_content = decoded_cache._sum_content
    monkeypatch.setattr(decoded_cache, "_sum_content", lambda folder: sums.append(0) or sum_content(folder))
    started.write_text("first start\n")
    for _ in range(3):
        _assert_holds(open_cache(tmp_path / "cache", samples, FORM), samples)
    assert len(sums) == 2  # when it was made, and at its first use
    started.write_text("second start\n")
    path = _only(tmp_path / "cache") / IMAGES
    path.write_bytes(path.read_bytes()[:100] + bytes(path.stat().st_size - 100))
    with caplog.at_level(logging.INFO):
        _assert_holds(open_cache(tmp_path / "cache", samples, FORM), samples)
    assert "does not hold the bytes that were written, perhaps after a power loss" in caplog.text


def test_a_cache_that_may_only_be_read_is_checked_every_time(samples: list[Sample], tmp_path: Path) -> None:
    open_cache(tmp_path / "cache", samples, FORM)
    (_only(tmp_path / "cache") / "intact.txt").mkdir()  # root may write everywhere else
    _assert_holds(open_cache(tmp_path / "cache", samples, FORM), samples)
