from __future__ import annotations

from pathlib import Path

import pytest
import torch

from reid_gl.config import load_experiment
from reid_gl.data.loading.cache_format import CacheForm
from reid_gl.experiment import load_data as module
from reid_gl.experiment.load_data import hold_out, load_data, make_sampler, open_image_cache
from reid_gl.records import Sample
from tests.conftest import MakeSamples

BATCH = ("SOLVER.IDENTITIES_PER_BATCH", "2", "SOLVER.IMAGES_PER_IDENTITY", "1")
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def test_the_cache_is_of_the_configured_form(make_samples: MakeSamples, tmp_path: Path) -> None:
    samples = make_samples((1, 0), (2, 0))
    experiment = load_experiment(None, ["DATA.CACHE", str(tmp_path / "cache")])
    cache = open_image_cache(experiment, samples)
    assert cache is not None
    assert cache.form == CacheForm(experiment.preprocessing).to_dict()
    assert open_image_cache(load_experiment(), samples) is None


def test_what_a_cache_leaves_to_do_is_done_by_an_accelerator(
    make_samples: MakeSamples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BatchLoader", lambda batches, sampler, **arguments: arguments["change_on"])
    samples = make_samples((1, 0), (2, 0))
    cached = load_experiment(None, [*BATCH, "DATA.CACHE", str(tmp_path / "cache")])
    sampler = make_sampler(cached, samples)
    assert module.make_loader(cached, samples, sampler, CPU) is None
    assert module.make_loader(cached, samples, sampler, CUDA) == CUDA
    assert module.make_loader(load_experiment(None, BATCH), samples, sampler, CUDA) is None


def test_batches_have_the_configured_shape_and_seed() -> None:
    train = [Sample(f"{pid}_{number}.jpg", pid, 0) for pid in range(6) for number in range(3)]
    words = ["SOLVER.IDENTITIES_PER_BATCH", "3", "SOLVER.IMAGES_PER_IDENTITY", "2"]
    first, again, other = (
        make_sampler(load_experiment(None, [*words, "SEED", seed]), train).epoch_batches(0) for seed in "001"
    )
    assert all(len(batch) == 6 for batch in first)
    assert [list(batch) for batch in first] == [list(batch) for batch in again]
    assert [list(batch) for batch in first] != [list(batch) for batch in other]


def test_identities_are_held_out_by_share_and_seed(words: list[str]) -> None:
    experiment = load_experiment(None, [*words, "DATA.HOLDOUT", "0.5"])
    dataset = load_data(experiment.data)
    held = hold_out(experiment.data.holdout, dataset)
    assert held is not None
    kept, tested = ({sample.pid for sample in side} for side in (held.train, held.query))
    assert not kept & tested
    assert kept | tested == {sample.pid for sample in dataset.train}
    assert hold_out(load_experiment(None, words).data.holdout, dataset) is None


def test_a_data_set_that_is_not_there(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        load_data(load_experiment(None, [*words, "DATA.ROOT", str(tmp_path / "nowhere")]).data)
