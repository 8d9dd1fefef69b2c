from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from reid_gl.cli.experiment import prepare_torch
from reid_gl.config.ranges import RANGES
from reid_gl.data.mot.crops import CropRule
from reid_gl.data.preparing.make_split import make_split
from reid_gl.seeds import NUM_SEEDS, check_seed
from reid_gl.synthetic.write_people import write_synthetic
from reid_gl.synthetic.write_sequences import write_sequences

WRONG = (-1, NUM_SEEDS, 10**30)


def test_generators_accept_the_largest_seed() -> None:
    check_seed(0)
    check_seed(NUM_SEEDS - 1)
    torch.Generator().manual_seed(NUM_SEEDS - 1)
    np.random.default_rng(NUM_SEEDS - 1)


@pytest.mark.parametrize("seed", WRONG)
def test_every_seed_has_the_same_range(seed: int, tmp_path: Path) -> None:
    assert not RANGES["SEED"].holds(seed)
    out = tmp_path / "out"
    for use in (
        lambda: check_seed(seed),
        lambda: write_synthetic(out, seed=seed),
        lambda: write_sequences(out, seed=seed),
        lambda: CropRule(seed=seed),
        lambda: make_split([], seed=seed),
        lambda: prepare_torch(seed),
    ):
        with pytest.raises(ValueError, match=rf"the seed must lie in \[0, {NUM_SEEDS}\), got {seed}"):
            use()
    assert not out.exists()
